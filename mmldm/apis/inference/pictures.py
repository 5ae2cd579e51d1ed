"""Pictures that a call is given: files, images, arrays or tensors."""

from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor

from mmldm.datasets.image_files import mask_of, read_image, read_mask
from mmldm.datasets.label_maps import label_map_of, read_label_map
from mmldm.datasets.pixel_values import to_rgb, upright

Picture = str | Path | Image.Image | np.ndarray | Tensor


def read_picture(picture: Picture) -> Tensor:
    """A picture as uint8 RGB, (3, H, W).

    Args:
        picture: File, PIL image, uint8 RGB array (H, W, 3) or tensor
            (3, H, W). Transparent pixels are laid on white.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no such picture.
    """
    if isinstance(picture, Tensor):
        return _checked(picture, picture.shape[:1] == (3,), '(3, H, W)')
    if isinstance(picture, str | Path):
        array = read_image(str(picture))
    elif isinstance(picture, Image.Image):
        array = to_rgb(upright(picture), None)
    else:
        array = np.asarray(picture)
    image = torch.from_numpy(np.ascontiguousarray(array))
    image = _checked(image, image.shape[2:] == (3,), '(H, W, 3)')
    return image.permute(2, 0, 1)


def _checked(image: Tensor, has_channels: bool, expected: str) -> Tensor:
    """The image, if it is uint8 RGB and not empty."""
    fits = image.ndim == 3 and has_channels and image.numel() > 0
    if image.dtype != torch.uint8 or not fits:
        raise ValueError(
            f'expected uint8 RGB {expected}, got {image.dtype} '
            f'{tuple(image.shape)}'
        )
    return image


def read_pictures(pictures: Picture | list[Picture]) -> list[Tensor]:
    """One or several pictures as a list; see :func:`read_picture`."""
    several = isinstance(pictures, list | tuple)
    return [read_picture(p) for p in (pictures if several else [pictures])]


def read_hole(picture: Picture) -> Tensor:
    """A mask, uint8 (1, H, W), 1 where white and 0 where black.

    Args:
        picture: File or PIL image: grey counts as white above 127, and
            transparent pixels count as black. Array (H, W) or (1, H, W):
            bool, 0 and 1, uint8 up to 255, or floats in [0, 1], of which
            those above 0.5 count as 1.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no mask.
    """
    if isinstance(picture, str | Path):
        hole = read_mask(str(picture))
    elif isinstance(picture, Image.Image):
        hole = mask_of(picture, 'image')
    else:
        hole = _thresholded(_plane(picture))
    return torch.from_numpy(np.ascontiguousarray(hole))[None]


def _thresholded(plane: np.ndarray) -> np.ndarray:
    """A mask of any numbers, uint8 (H, W), 0 or 1."""
    if plane.dtype == bool:
        return plane.astype(np.uint8)
    if plane.dtype == np.uint8 and plane.max() > 1:
        return mask_of(Image.fromarray(plane), 'array')
    # Not for nan, of which no comparison holds.
    if not ((plane >= 0) & (plane <= 1)).all():
        raise ValueError(
            f'a mask of {plane.dtype} must be in [0, 1], got values in '
            f'[{plane.min():g}, {plane.max():g}]'
        )
    if ((plane > 0) & (plane < 1)).any():
        print_log(
            'the mask has values between 0 and 1, which count as 1 above 0.5',
            'current',
        )
    return (plane > 0.5).astype(np.uint8)


def read_classes(picture: Picture) -> Tensor:
    """A map of classes, (1, H, W), whole numbers.

    Args:
        picture: File or PIL image whose values are classes; array (H, W) or
            (1, H, W) of whole numbers.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no such map.
    """
    if isinstance(picture, str | Path):
        return torch.from_numpy(read_label_map(str(picture)))[None]
    if isinstance(picture, Image.Image):
        return torch.from_numpy(label_map_of(picture, 'image'))[None]
    classes = _plane(picture)
    if classes.dtype.kind not in 'iu':
        raise ValueError(f'expected whole numbers, got {classes.dtype}')
    return torch.from_numpy(classes.astype(np.int64))[None]


def _plane(picture: np.ndarray | Tensor) -> np.ndarray:
    """An array or tensor of one channel, (H, W).

    Raises:
        ValueError: If it has another shape.
    """
    if isinstance(picture, Tensor):
        picture = picture.cpu().numpy()
    array = np.asarray(picture)
    plane = array[0] if array.ndim == 3 and len(array) == 1 else array
    if plane.ndim != 2 or not plane.size or plane.dtype.kind not in 'biuf':
        raise ValueError(
            f'expected one number a pixel, (H, W) or (1, H, W), got '
            f'{array.dtype} {array.shape}'
        )
    return plane


READERS = {
    'image': read_picture,
    'low_res': read_picture,
    'mask': read_hole,
    'map': read_classes,
    'like': read_pictures,
}
