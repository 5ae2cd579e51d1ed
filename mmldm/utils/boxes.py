"""Boxes of objects, and the part of a picture that an image shows.

A box is (x, y, w, h): its top left corner and its size as parts of the full
picture. The window of an image, its ``crop_box``, is such a box as well.
"""

from collections.abc import Iterable, Sequence

Box = tuple[float, float, float, float]
Objects = list[tuple[int, Box]]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# Parts of an image below which an overlap is a rounding error.
TINY = 1e-9


def shown_part(box: Sequence[float], window: Sequence[float]) -> Box | None:
    """The part of a box that an image shows, as parts of the image.

    Args:
        box: In the full picture.
        window: Of the image in the full picture.

    Returns:
        None if the image shows nothing of the box.
    """
    low, size = [], []
    for i in range(2):
        ends = [
            min(1.0, max(0.0, (end - window[i]) / window[2 + i]))
            for end in (box[i], box[i] + box[2 + i])
        ]
        low.append(ends[0])
        size.append(ends[1] - ends[0])
    return (*low, *size) if min(size) > TINY else None


def shown_objects(
    layout: Iterable[tuple[int, Sequence[float]]], window: Sequence[float]
) -> Objects:
    """The objects that an image shows, their boxes as parts of the image.

    Args:
        layout: Classes and boxes in the full picture.
        window: Of the image in the full picture.
    """
    objects = [(label, tuple(box)) for label, box in layout]
    if tuple(window) == WHOLE:
        return objects
    shown = [(label, shown_part(box, window)) for label, box in objects]
    return [(label, box) for label, box in shown if box is not None]
