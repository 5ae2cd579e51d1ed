"""Boxes of objects as parts of their images."""

from math import isfinite

from .annotations import Fields
from .report import DataReport

Box = tuple[float, float, float, float]
# How far a box may lie outside, as part of the image's side, and be called
# rounded: half a pixel of 500.
ROUNDING = 0.001


def with_objects(
    found: Fields, min_objects: int, owner: str, report: DataReport
) -> Fields:
    """Those of the images that have enough objects.

    Args:
        found: Fields by name of the image, ``layout`` among them.
        min_objects: Least number of objects.
        owner: Class of the annotations, for errors.
        report: What was left out before, for errors.

    Raises:
        ValueError: If there is none among some.
    """
    counts = {name: len(fields['layout']) for name, fields in found.items()}
    most = max(counts.values(), default=min_objects)
    if most < min_objects:
        raise ValueError(
            f'{owner}.min_objects={min_objects}, but none of the '
            f'{len(found)} images of the file has more than {most}: set it '
            f'lower{report.reasons()}'
        )
    return {
        name: fields
        for name, fields in found.items()
        if counts[name] >= min_objects
    }


def within(box: Box, what: str, image: str, report: DataReport) -> Box | None:
    """A box cut to its image; None if nothing is left of it.

    Args:
        box: (x, y, w, h) as parts of the image.
        what: It is, for the report.
        image: It is in, for the report.
        report: Where boxes are counted that are left out, or cut by more
            than rounding.
    """
    shown = ', '.join(f'{part:.3g}' for part in box)
    where = f'in its image {image}: (x, y, w, h) = ({shown}) as parts of it'
    if not all(map(isfinite, box)):
        report.defect(
            'boxes have numbers that are not finite and are left out',
            f'{what} has a number that is not finite {where}',
        )
        return None
    if min(box[2:]) < 0:
        side = 'width' if box[2] < 0 else 'height'
        report.defect(
            'boxes have a negative side and are left out',
            f'{what} has a negative {side} {where}',
        )
        return None
    ends = [*box[:2], box[0] + box[2], box[1] + box[3]]
    left, top, right, bottom = (min(1.0, max(0.0, end)) for end in ends)
    if right <= left or bottom <= top:
        report.note(
            'boxes have no extent in their image and are left out',
            f'{what} {where}',
        )
        return None
    if min(ends) < -ROUNDING or max(ends) > 1 + ROUNDING:
        report.defect(
            'boxes reach outside of their image and are cut to it',
            f'{what} lies outside {where}',
        )
    return left, top, right - left, bottom - top
