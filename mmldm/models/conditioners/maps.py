"""Images and maps of pixels in data samples."""

from collections.abc import Collection

import torch
from torch import Tensor

from mmldm.utils.typing import SampleList

WHOLE = (torch.uint8, torch.int16, torch.int32, torch.int64)


def read_maps(
    data_samples: SampleList,
    field: str,
    reader: str,
    channels: int,
    dtypes: Collection[torch.dtype] = (torch.uint8,),
) -> Tensor:
    """A field of all samples of a batch, (B, channels, H, W).

    Args:
        data_samples: The batch.
        field: Name of the field.
        reader: Name of the reading class, for messages.
        channels: Expected number of channels.
        dtypes: Allowed dtypes.

    Raises:
        ValueError: If the field is missing, its dtype or shape is invalid,
            or sizes differ.
    """
    maps = []
    for sample in data_samples:
        value = torch.as_tensor(sample.require(field, reader))
        if value.ndim != 3 or len(value) != channels:
            raise ValueError(
                f'{field} of {sample.name} has the shape '
                f'{tuple(value.shape)}, but must be ({channels}, H, W)'
            )
        if value.dtype not in dtypes:
            names = ' or '.join(str(d).removeprefix('torch.') for d in dtypes)
            raise ValueError(
                f'{field} of {sample.name} is {value.dtype}, but must be '
                f'{names}'
            )
        if maps and value.shape != maps[0].shape:
            raise ValueError(
                f'{field} of {sample.name} is {size(value)}, that of '
                f'{data_samples[0].name} is {size(maps[0])}: a batch needs '
                'one size, for example by a Crop in the dataset pipeline'
            )
        maps.append(value)
    return torch.stack(maps)


def check_image_size(
    maps: Tensor, data_samples: SampleList, field: str
) -> None:
    """Raise unless maps (B, C, H, W) are as large as their images.

    Samples without an image size are not checked.
    """
    for value, sample in zip(maps, data_samples, strict=True):
        wanted = tuple(sample.get('img_shape', value.shape[1:]))[:2]
        if tuple(value.shape[1:]) != wanted:
            raise ValueError(
                f'{field} of {sample.name} is {size(value)}, but its image is '
                f'{wanted[0]}x{wanted[1]}: give both the same size'
            )


def size(x: Tensor) -> str:
    """Height and width as 'HxW', for an error message."""
    return f'{x.shape[-2]}x{x.shape[-1]}'
