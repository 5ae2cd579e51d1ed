"""One weight of ours, and what it is elsewhere: tables for both directions.

A converter states its :class:`Pair` s; the functions here move tensors along
them, either way, and name what does not fit.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# Here, lest the registry imports it where no tensor has memory.
import mmldm.models  # noqa: F401
from mmldm.registry import MODELS


class Pair(NamedTuple):
    """One weight of ours, and what it is in the original.

    Attributes:
        ours: Its name.
        shape: Its shape.
        theirs: Names of the weights that are its parts along axis 0.
        part_shape: The shape of each.
        heads: Attention heads whose queries, keys and values lie together,
            head after head, where ours has all queries first; 0 for rows in
            one order.
    """

    ours: str
    shape: tuple[int, ...]
    theirs: tuple[str, ...]
    part_shape: tuple[int, ...]
    heads: int = 0

    def __str__(self) -> str:
        theirs = ' + '.join(self.theirs)
        return f'{theirs} {self.part_shape} -> {self.ours} {self.shape}'


def without_memory(config: Mapping[str, Any]) -> nn.Module:
    """The model of a config, for the names and shapes of its weights."""
    with torch.device('meta'):
        return MODELS.build(dict(config))


def to_ours(
    weights: Mapping[str, Tensor], pairs: Iterable[Pair]
) -> dict[str, Tensor]:
    """Weights under our names and in our shapes.

    They share the memory of those given where they are the same.
    """
    found = {}
    for pair in pairs:
        parts = [weights[name] for name in pair.theirs]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        if pair.heads:
            joined = _swap(joined, pair.heads, 3)
        found[pair.ours] = joined.reshape(pair.shape).contiguous()
    return found


def to_theirs(
    weights: Mapping[str, Tensor], pairs: Iterable[Pair]
) -> dict[str, Tensor]:
    """The way back of :func:`to_ours`."""
    found = {}
    for pair in pairs:
        weight = weights[pair.ours]
        if pair.heads:
            weight = _swap(weight, 3, pair.heads)
        parts = weight.chunk(len(pair.theirs))
        for name, part in zip(pair.theirs, parts, strict=True):
            # A copy in the usual order: the model may go on changing its own.
            part = part.reshape(pair.part_shape)
            found[name] = part.clone(memory_format=torch.contiguous_format)
    return found


def _swap(rows: Tensor, outer: int, inner: int) -> Tensor:
    """Rows in groups of groups, the two kinds of groups exchanged."""
    return rows.unflatten(0, (outer, inner, -1)).transpose(0, 1).flatten(0, 2)


def check_weights(
    weights: Mapping[str, Tensor],
    pairs: Sequence[Pair],
    left_out: Sequence[str] = (),
    remedy: str = 'Give the yaml file they were trained with',
    most: int = 3,
) -> None:
    """Raise unless the weights are those of the pairs, or left out.

    Args:
        weights: Theirs, by name.
        pairs: All that is expected.
        left_out: Starts of names that have no place, and need none.
        remedy: What the user may have given wrongly.
        most: How many misfits the message names.

    Raises:
        ValueError: If any is missing, of another shape or not known.
    """
    problems = []
    for pair in pairs:
        for name in pair.theirs:
            if name not in weights:
                problems.append(f'{name} is missing ({pair})')
            elif (shape := tuple(weights[name].shape)) != pair.part_shape:
                problems.append(f'{name} has shape {shape} ({pair})')
    known = {name for pair in pairs for name in pair.theirs}
    for name in weights:
        if name not in known and not name.startswith(tuple(left_out)):
            problems.append(f'{name} has no place')
    if problems:
        raise ValueError(
            f'the weights do not fit the config, {len(problems)} times: '
            f'{"; ".join(problems[:most])}. {remedy}'
        )
