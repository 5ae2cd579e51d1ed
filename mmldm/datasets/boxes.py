"""Boxes of objects as parts of their images."""

from math import isfinite

from .annotations import Fields

Box = tuple[float, float, float, float]
# How far a box may lie outside, as part of the image's side: annotations are
# rounded.
SLACK = 0.01


def with_objects(found: Fields, min_objects: int, owner: str) -> Fields:
    """Those of the images that have enough objects.

    Args:
        found: Fields by name of the image, ``layout`` among them.
        min_objects: Least number of objects.
        owner: Class of the annotations, for errors.

    Raises:
        ValueError: If there is none among some.
    """
    counts = {name: len(fields['layout']) for name, fields in found.items()}
    most = max(counts.values(), default=min_objects)
    if most < min_objects:
        raise ValueError(
            f'{owner}.min_objects={min_objects}, but none of the '
            f'{len(found)} images of the file has more than {most}: set it '
            'lower'
        )
    return {
        name: fields
        for name, fields in found.items()
        if counts[name] >= min_objects
    }


def within(box: Box, what: str, image: str) -> Box | None:
    """A box cut to its image; None if nothing is left of it.

    Args:
        box: (x, y, w, h) as parts of the image.
        what: It is, for errors.
        image: It is in, for errors.

    Raises:
        ValueError: If a number is none, an extent is negative or it lies
            outside by more than rounding.
    """
    ends = [*box[:2], box[0] + box[2], box[1] + box[3]]
    wrong = None
    if not all(map(isfinite, box)):
        wrong = 'has a number that is not finite, in its image'
    elif min(box[2:]) < 0:
        side = 'width' if box[2] < 0 else 'height'
        wrong = f'has a negative {side} in its image'
    elif min(ends) < -SLACK or max(ends) > 1 + SLACK:
        wrong = 'lies outside of its image'
    if wrong is not None:
        shown = ', '.join(f'{part:.3g}' for part in box)
        raise ValueError(
            f'{what} {wrong} {image}: (x, y, w, h) = ({shown}) as parts of it'
        )
    left, top, right, bottom = (min(1.0, max(0.0, end)) for end in ends)
    if right <= left or bottom <= top:
        return None
    return left, top, right - left, bottom - top
