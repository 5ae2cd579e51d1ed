"""The picture that an edit is given, and the part of it to fill."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmldm.datasets.transforms import ResizeShorterSide
from mmldm.utils import check_count, check_range

from .pictures import Picture
from .requests import read_fields

Box = Sequence[int]
SIDES = ('left', 'right', 'top', 'bottom')
MOST_PIXELS = 2**15  # a side, as image formats hold them


def picture_of(image: Picture, size: int | None) -> Tensor:
    """The picture of the argument ``image``, uint8 RGB (3, H, W).

    Args:
        image: See ``read_picture``.
        size: Shorter side to scale it to, pixels; None leaves it.

    Raises:
        FileNotFoundError, ValueError: If it cannot be read; names the
            argument.
    """
    given = read_fields(dict(image=image)).get('gt_img')
    if given is None:
        raise ValueError('image is missing: give the image to edit')
    return given if size is None else _scaled(given, None, size)[0]


def hole_of(
    image: Picture, mask: Picture | None, box: Box | None, size: int | None
) -> tuple[Tensor, Tensor]:
    """The picture of ``image``, and the part that ``mask`` or ``box`` holds.

    Args:
        image: See :func:`picture_of`.
        mask: White where to fill, as large as the image.
        box: (left, top, right, bottom) of the part to fill, pixels of the
            scaled picture.
        size: See :func:`picture_of`.

    Returns:
        uint8 RGB (3, H, W), and uint8 (1, H, W), 1 where to fill.

    Raises:
        FileNotFoundError, ValueError: Naming the argument.
    """
    if (mask is None) == (box is None):
        raise ValueError('give one of mask and box, the part to fill')
    given = picture_of(image, None)
    hole = None if mask is None else _mask_of(given, mask)
    if size is not None:
        given, hole = _scaled(given, hole, size)
    if hole is None:
        hole = _in_box(box, given.shape[1:])
    if not hole.any():
        raise ValueError(
            'mask is 0 everywhere, which fills nothing: it must be 1, or '
            'white, where to fill'
        )
    return given, hole


def _mask_of(given: Tensor, mask: Picture) -> Tensor:
    """The mask of a picture, uint8 (1, H, W)."""
    hole = read_fields(dict(mask=mask))['mask']
    if hole.shape[1:] != given.shape[1:]:
        raise ValueError(
            f'mask has {hole.shape[2]}x{hole.shape[1]} pixels, but the image '
            f'{given.shape[2]}x{given.shape[1]}: give a mask of its size'
        )
    return hole


def _in_box(box: Box, size: Sequence[int]) -> Tensor:
    """1 in a box, uint8 (1, H, W)."""
    height, width = size
    whole = isinstance(box, list | tuple) and all(
        isinstance(side, int | np.integer) for side in box
    )
    if not (
        whole
        and len(box) == 4
        and 0 <= box[0] < box[2] <= width
        and 0 <= box[1] < box[3] <= height
    ):
        raise ValueError(
            f'box={box!r} must be (left, top, right, bottom) inside the image '
            f'of {width}x{height} pixels, with left < right and top < bottom'
        )
    left, top, right, bottom = box
    hole = torch.zeros(1, height, width, dtype=torch.uint8)
    hole[:, top:bottom, left:right] = 1
    return hole


def canvas_of(given: Tensor, padding: dict[str, int]) -> tuple[Tensor, Tensor]:
    """A picture with room around it, and the mask of the room.

    Args:
        given: uint8 RGB (3, H, W).
        padding: New pixels on each side: left, right, top and bottom.

    Raises:
        ValueError: If there is none, or a number is invalid.
    """
    for side, pixels in padding.items():
        if pixels:
            check_count(side, pixels)
        check_range(side, pixels, 0, MOST_PIXELS)
    if not any(padding.values()):
        raise ValueError(
            'left, right, top and bottom are 0, which adds nothing: give the '
            'new pixels of a side'
        )
    around = tuple(padding.values())
    known = torch.zeros_like(given[:1])
    pad = torch.nn.functional.pad
    return pad(given, around), pad(known, around, value=1)


def _scaled(
    given: Tensor, hole: Tensor | None, size: int
) -> tuple[Tensor, Tensor | None]:
    """Picture and mask, scaled to a shorter side."""
    check_count('size', size)
    check_range('size', size, 1, MOST_PIXELS)
    arrays = dict(img=given.permute(1, 2, 0).numpy())
    if hole is not None:
        arrays['mask'] = hole[0].numpy()
    scaled = ResizeShorterSide(size).transform(arrays)
    image = torch.from_numpy(np.ascontiguousarray(scaled['img']))
    if hole is not None:
        hole = torch.from_numpy(np.ascontiguousarray(scaled['mask']))[None]
    return image.permute(2, 0, 1), hole
