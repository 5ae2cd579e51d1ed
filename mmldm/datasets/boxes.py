"""Boxes of objects as parts of their images."""

from .annotations import Fields

Box = tuple[float, float, float, float]
# How far a box may lie outside, as part of the image's side: annotations are
# rounded.
SLACK = 0.01


def with_objects(found: Fields, min_objects: int) -> Fields:
    """Those of the images that have enough objects."""
    return {
        name: fields
        for name, fields in found.items()
        if len(fields['layout']) >= min_objects
    }


def within(box: Box, what: str, image: str) -> Box | None:
    """A box cut to its image; None if nothing is left of it.

    Args:
        box: (x, y, w, h) as parts of the image.
        what: It is, for errors.
        image: It is in, for errors.

    Raises:
        ValueError: If it lies outside by more than rounding.
    """
    ends = [*box[:2], box[0] + box[2], box[1] + box[3]]
    if min(box[2:]) < 0 or min(ends) < -SLACK or max(ends) > 1 + SLACK:
        shown = ', '.join(f'{part:.3g}' for part in box)
        raise ValueError(
            f'{what} lies outside of its image {image}: ({shown}) as parts '
            'of it'
        )
    left, top, right, bottom = (min(1.0, max(0.0, end)) for end in ends)
    if right <= left or bottom <= top:
        return None
    return left, top, right - left, bottom - top
