"""Boxes and their classes, as data samples hold them."""

import operator
from collections.abc import Sequence
from typing import Any

from mmldm.structures import LDMDataSample
from mmldm.utils.boxes import WHOLE, shown_objects

Box = Sequence[float]  # x, y, w, h in [0, 1]
Corners = tuple[float, float, float, float]
# Allowed rounding error of a box's corner plus its size.
ROUNDING = 1e-6


def read_layout(
    sample: LDMDataSample,
    num_classes: int,
    reader: str,
    max_objects: int | None = None,
) -> list[tuple[int, Box]]:
    """The checked ``layout`` of a sample, in the full picture.

    Args:
        sample: The data sample.
        num_classes: Classes are in [0, num_classes).
        reader: Name of the reading class, for messages. It has arguments
            named ``num_classes`` and ``max_objects``.
        max_objects: Most objects that are allowed; None for any number.

    Returns:
        Class and box of every object.

    Raises:
        ValueError: If there is no layout, or too many objects, or an object
            is invalid.
    """
    layout = list(sample.require('layout', reader))
    if max_objects is not None and len(layout) > max_objects:
        raise ValueError(
            f'the layout of {sample.name} has {len(layout)} objects, but '
            f'{reader}.max_objects={max_objects}: leave some out'
        )
    objects = []
    for i, item in enumerate(layout):
        what = f'object {i} in the layout of {sample.name}'
        label, box = _object(item, what)
        if not 0 <= label < num_classes:
            raise ValueError(
                f'{what} has the class {label}, which is not in '
                f'[0, {num_classes}): set {reader}.num_classes to the number '
                'of classes of the data'
            )
        check_box(box, f'the box of {what}')
        objects.append((label, box))
    return objects


def shown_layout(
    sample: LDMDataSample, objects: Sequence[tuple[int, Box]]
) -> list[tuple[int, Box]]:
    """The objects that the image of a sample shows.

    Args:
        sample: A sample with a ``crop_box``, or one of the full picture.
        objects: Result of :func:`read_layout`.

    Returns:
        Class and box of every visible object; boxes are relative to the
        image.

    Raises:
        ValueError: If the ``crop_box`` is invalid.
    """
    return shown_objects(objects, read_crop_box(sample))


def read_crop_box(sample: LDMDataSample) -> Box:
    """The part of the full picture that the image of a sample shows.

    Raises:
        ValueError: If it is not inside the picture.
    """
    crop_box = sample.get('crop_box', WHOLE)
    check_box(crop_box, f'the crop_box of {sample.name}')
    return crop_box


def _object(item: Any, what: str) -> tuple[int, Box]:
    try:
        label, box = item
        return operator.index(label), [float(part) for part in box]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{what} is {item!r}, but must be (class, (x, y, w, h))'
        ) from error


def check_box(box: Box, what: str) -> None:
    """Raise unless a box is inside the image."""
    inside = len(box) == 4 and all(
        start >= 0 and size > 0 and start + size <= 1 + ROUNDING
        for start, size in zip(box[:2], box[2:], strict=True)
    )
    if not inside:
        raise ValueError(
            f'{what} is {tuple(box)}, but must be (x, y, w, h) with x, y >= '
            '0, w, h > 0 and x + w, y + h <= 1, relative to the image: clip '
            'it to the image'
        )


def corners(box: Box) -> Corners:
    """Left, top, right and bottom, in [0, 1]."""
    x, y, width, height = box
    return x, y, min(1, x + width), min(1, y + height)
