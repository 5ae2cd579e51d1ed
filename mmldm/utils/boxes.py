"""Object boxes, and the part of a picture that an image shows.

A box is (x, y, w, h): its top left corner and its size, relative to the full
picture. The window of an image, its ``crop_box``, is such a box too.
"""

from collections.abc import Iterable, Sequence

Box = tuple[float, float, float, float]
Objects = list[tuple[int, Box]]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# A smaller overlap, as a part of the image, is a rounding error.
TINY = 1e-9


def shown_part(box: Sequence[float], window: Sequence[float]) -> Box | None:
    """The part of a box that an image shows, relative to the image.

    Args:
        box: (x, y, w, h), relative to the full picture.
        window: The image's window, relative to the full picture.

    Returns:
        (x, y, w, h); None if the image does not show the box.
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
    """The objects that an image shows, with boxes relative to the image.

    Args:
        layout: (class, box) of the objects, relative to the full picture.
        window: The image's window, relative to the full picture.
    """
    objects = [(label, tuple(box)) for label, box in layout]
    if tuple(window) == WHOLE:
        return objects
    shown = [(label, shown_part(box, window)) for label, box in objects]
    return [(label, box) for label, box in shown if box is not None]
