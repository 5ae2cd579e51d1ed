"""Work on batches whose samples differ in size."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def one_size_parts(
    batch: dict[str, Any],
) -> list[tuple[list[int], dict[str, Any]]]:
    """Places in a batch, and the part of the batch there, for each size.

    Args:
        batch: A list of data samples, ``data_samples``, and, with images,
            ``inputs``, which are not stacked yet. The ``img_shape`` of a
            sample is its size.
    """
    samples = batch['data_samples']
    sizes = [tuple(s.get('img_shape', ()))[:2] for s in samples]
    if len(set(sizes)) == 1:
        return [([*range(len(samples))], batch)]
    return [(own, _part(batch, own)) for own in _places(sizes)]


def in_order(
    parts: Sequence[tuple[Sequence[int], Sequence[Any]]],
) -> list[Any]:
    """Values by their places in a batch.

    Args:
        parts: Places, and a value for each.
    """
    found = {
        place: value
        for places, values in parts
        for place, value in zip(places, values, strict=True)
    }
    return [found[place] for place in range(len(found))]


def of_stacks(
    process: Callable[..., Sequence[Any]], *columns: Sequence[Tensor]
) -> list[Any]:
    """A value for each image, of a function of stacks of one size.

    Args:
        process: Its arguments are stacks of images, and it returns a value
            for each place.
        columns: Images of any sizes, one sequence for each argument.
    """
    return in_order(
        [
            (
                own,
                process(*(torch.stack([c[i] for i in own]) for c in columns)),
            )
            for own in _places([tuple(x.shape) for x in columns[0]])
        ]
    )


def _places(sizes: Sequence[tuple[int, ...]]) -> list[list[int]]:
    """The places of each size, in the order in which sizes appear."""
    found: dict[tuple[int, ...], list[int]] = {}
    for place, size in enumerate(sizes):
        found.setdefault(size, []).append(place)
    return [*found.values()]


def _part(batch: dict[str, Any], places: list[int]) -> dict[str, Any]:
    count = len(batch['data_samples'])
    return {
        key: [values[place] for place in places]
        if hasattr(values, '__len__') and len(values) == count
        else values
        for key, values in batch.items()
    }
