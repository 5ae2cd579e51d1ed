"""What an image should show, by arguments in place of data samples."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmldm.datasets.image_files import (
    read_image,
    read_label_map,
    read_mask,
)
from mmldm.models.editors import LatentDiffusion
from mmldm.structures import LDMDataSample
from mmldm.utils.image_size import height_and_width

# Argument -> field of a data sample.
FIELDS = {
    'label': 'gt_label',
    'prompt': 'caption',
    'layout': 'layout',
    'image': 'gt_img',
    'mask': 'mask',
    'low_res': 'img_lq',
    'map': 'gt_sem_seg',
    'like': 'ref_imgs',
    'features': 'features',
}
ARGUMENTS = {name: argument for argument, name in FIELDS.items()}
Picture = str | Path | Image.Image | np.ndarray | Tensor


@dataclass(frozen=True)
class Request:
    """One image that a model is asked for.

    Args:
        fields: Fields of a data sample, as its class describes them.
        size: Height and width, pixels.
        seed: Seed of the noise.
        number: Which image of this seed.
        negative: Fields that guidance leads away from.
    """

    fields: Mapping[str, Any]
    size: tuple[int, int]
    seed: int = 0
    number: int = 0
    negative: Mapping[str, Any] = field(default_factory=dict)

    def data_sample(self) -> LDMDataSample:
        """The data sample that a model takes."""
        meta = dict(img_shape=self.size, address=(self.seed, self.number))
        sample = _written(LDMDataSample(metainfo=meta), self.fields)
        if self.negative:
            sample.negative = _written(LDMDataSample(), self.negative)
        return sample


def _written(sample: LDMDataSample, fields: Mapping[str, Any]) -> Any:
    for name, value in fields.items():
        if name == 'gt_label':
            sample.set_gt_label(value)
        else:
            sample.set_field(value, name)
    return sample


def read_fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a data sample from arguments; files and pictures are read.

    Args:
        arguments: Values by the names of :data:`FIELDS`; None is left out.

    Raises:
        FileNotFoundError, ValueError: If a picture cannot be read; names the
            argument.
    """
    found = {}
    for argument, value in arguments.items():
        if value is None:
            continue
        read = READERS.get(argument)
        try:
            found[FIELDS[argument]] = value if read is None else read(value)
        except (OSError, ValueError, TypeError) as error:
            kind = FileNotFoundError
            if not isinstance(error, FileNotFoundError):
                kind = ValueError
            raise kind(f'{argument}: {error}') from error
    return found


def check_fields(
    model: LatentDiffusion,
    given: Mapping[str, Any],
    unconditional: bool = False,
) -> None:
    """Raise unless the fields suit a model; name the argument.

    Args:
        model: The model.
        given: Fields of a data sample.
        unconditional: Whether there shall be none.

    Raises:
        ValueError: If a field is missing or not read, or a class is unknown.
    """
    if unconditional:
        if given:
            raise ValueError(
                f'{_argument([*given][0])} has no effect with '
                'unconditional=True: omit one of them'
            )
        return
    check_reads(model, given, _argument)
    _check_class(model, given)


def check_reads(
    model: LatentDiffusion,
    given: Collection[str],
    named: Callable[[str], str],
) -> None:
    """Raise unless the given fields are exactly those that a model reads.

    Args:
        model: The model.
        given: Names of fields of data samples.
        named: What users call a field: their argument or flag.

    Raises:
        ValueError: Naming the field as users do.
    """
    reads = {*model.conditioner.reads}
    for field_name in sorted({*given} - reads):
        known = ', '.join(sorted(map(named, reads))) or 'nothing'
        raise ValueError(
            f'{named(field_name)} is unknown to this model, which reads '
            f'{known}: omit it'
        )
    for field_name in sorted(reads - {*given}):
        raise ValueError(
            f'the field {field_name} is missing: give {named(field_name)}'
        )


def _check_class(model: LatentDiffusion, given: Mapping[str, Any]) -> None:
    """Raise if a label is no class of the model."""
    label = given.get('gt_label')
    if label is None:
        return
    whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
    _, count = model.conditioner.class_counts.get('gt_label', ('', None))
    if not whole or not (count is None or 0 <= label < count):
        expected = 'a whole number' if count is None else f'0 to {count - 1}'
        raise ValueError(f'label={label!r} is unknown, expected {expected}')


def size_of(
    model: LatentDiffusion,
    fields: Mapping[str, Any],
    size: int | tuple[int, int] | None,
    argument: str = 'size',
) -> tuple[int, int]:
    """Height and width of an image, pixels.

    Args:
        model: The model; its own size is the last resort.
        fields: Images among them set the size.
        size: Side, or height and width; None if not given.
        argument: What users call it.

    Raises:
        ValueError: If neither says it.
    """
    if size is not None:
        return height_and_width(size)
    own = [name for name in fields if name not in ARGUMENTS]
    for name in ('gt_img', 'gt_sem_seg', *own):
        value = fields.get(name)
        if isinstance(value, Tensor) and value.ndim == 3:
            return tuple(value.shape[1:])
    if 'img_lq' in fields:  # has the size of the latent
        factor = model.autoencoder.factor
        height, width = fields['img_lq'].shape[1:]
        return factor * height, factor * width
    if model.image_size is None:
        raise ValueError(f'the image size is missing: give {argument}')
    return height_and_width(model.image_size)


def _argument(name: str) -> str:
    """The argument that sets a field."""
    return ARGUMENTS.get(name, f'fields[{name!r}]')


def read_picture(picture: Picture) -> Tensor:
    """A picture as uint8 RGB, (3, H, W).

    Args:
        picture: File, PIL image, uint8 RGB array (H, W, 3) or tensor
            (3, H, W).

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no such picture.
    """
    if isinstance(picture, Tensor):
        return _checked(picture, (3, -1, -1))
    if isinstance(picture, str | Path):
        picture = read_image(str(picture))
    elif isinstance(picture, Image.Image):
        picture = np.array(picture.convert('RGB'))
    array = _checked(torch.from_numpy(np.asarray(picture)), (-1, -1, 3))
    return array.permute(2, 0, 1)


def _plane(picture: Picture, read: Any) -> Tensor:
    """A picture of one channel, (1, H, W)."""
    if isinstance(picture, str | Path):
        picture = read(str(picture))
    elif isinstance(picture, Image.Image):
        picture = np.array(picture.convert('L'))
    plane = torch.as_tensor(picture)
    return plane if plane.ndim == 3 else plane[None]


def _mask(picture: Picture) -> Tensor:
    """A mask, 1 in the hole: white pixels of a picture, or 1 and True."""
    plane = _plane(picture, read_mask)
    if plane.dtype == torch.uint8 and plane.max() > 1:
        return (plane > 127).to(torch.uint8)
    return plane


def _checked(image: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The image, if it is uint8 of a shape in which -1 is any size."""
    fits = image.ndim == 3 and all(
        wanted in (-1, found)
        for wanted, found in zip(shape, image.shape, strict=True)
    )
    if image.dtype != torch.uint8 or not fits:
        raise ValueError(
            f'expected uint8 RGB {shape}, got {image.dtype} '
            f'{tuple(image.shape)}'
        )
    return image


READERS = {
    'image': read_picture,
    'low_res': read_picture,
    'mask': _mask,
    'map': lambda picture: _plane(picture, read_label_map),
    'like': lambda pictures: [
        read_picture(p)
        for p in (
            pictures if isinstance(pictures, list | tuple) else [pictures]
        )
    ],
}
