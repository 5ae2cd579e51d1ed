"""Resuming of a training whose images have several sizes."""

from collections.abc import Mapping, Sequence

from mmldm.utils.image_size import size_text

from .config_diff import Difference

# Height, width and number of images of each size; None for a single size.
Counts = Sequence[tuple[int, int, int]] | None


def continues(counts: Counts) -> str:
    """What another batch size does to the order of the images."""
    if counts is None:
        return 'none is skipped or repeated'
    return (
        'batches of one size are put together anew, so that some images of '
        'this pass are skipped or repeated'
    )


def other_sizes(stored: Counts, current: Counts) -> list[Difference]:
    """The sizes whose numbers of images differ.

    Where one of both has a single size, the configs differ, which is said by
    their own keys.
    """
    if stored is None or current is None:
        return []
    numbers = [
        {size_text(size): n for *size, n in counts}
        for counts in (stored, current)
    ]
    changed = [
        {size: n for size, n in own.items() if n != other.get(size)}
        for own, other in (numbers, numbers[::-1])
    ]
    if not any(changed):
        return []
    return [Difference('images of each size', *map(_listed, changed))]


def _listed(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{size} {n}' for size, n in counts.items()) or 'none'
