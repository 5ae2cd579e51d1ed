"""Object boxes in relative coordinates, cut to their images."""

from math import isfinite

from .annotations import Fields
from .report import DataReport

Box = tuple[float, float, float, float]
# A box that lies outside by at most this part of the image's side counts as
# rounded: half a pixel of 500.
ROUNDING = 0.001


def with_objects(
    found: Fields, min_objects: int, owner: str, report: DataReport
) -> Fields:
    """The images that have enough objects.

    Args:
        found: Fields by image name; each has ``layout``.
        min_objects: Smallest number of objects.
        owner: Class name of the annotations, for errors.
        report: Counts of what was left out before, for errors.

    Raises:
        ValueError: If there are images, but none has enough objects.
    """
    counts = {name: len(fields['layout']) for name, fields in found.items()}
    most = max(counts.values(), default=min_objects)
    if most < min_objects:
        raise ValueError(
            f'{owner}.min_objects={min_objects}, but none of the '
            f'{len(found)} images of the file has more than {most}: set '
            f'min_objects={most} or lower{report.reasons()}'
        )
    return {
        name: fields
        for name, fields in found.items()
        if counts[name] >= min_objects
    }


def within(box: Box, what: str, image: str, report: DataReport) -> Box | None:
    """The part of a box inside its image; None if it is empty.

    Args:
        box: (x, y, w, h) relative to the image's width and height.
        what: Name of the box, for the report.
        image: Name of the image, for the report.
        report: Counts boxes that are left out, or cut by more than
            rounding.
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
