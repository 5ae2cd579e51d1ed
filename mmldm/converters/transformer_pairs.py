"""What each weight of our transformer over tokens is called elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .pairs import Pair, check_weights, to_ours, to_theirs, without_memory


class Dialect(NamedTuple):
    """How others name the same transformer.

    Attributes:
        outer: Parts outside of the blocks, ours and theirs.
        inner: Parts of a block, ours -> (number of the block -> theirs).
        remedy: Where weights do not fit: what may have been given wrongly.
    """

    outer: Mapping[str, str]
    inner: Mapping[str, Callable[[int], str]]
    remedy: str

    def name(self, ours: str) -> str:
        """A weight's name there."""
        part, _, kind = ours.rpartition('.')
        if not part.startswith('blocks.'):
            return f'{self.outer[part]}.{kind}'
        _, number, part = part.split('.', 2)
        return f'{self.inner[part](int(number))}.{kind}'


def transformer_pairs(
    config: Mapping[str, Any], dialect: Dialect
) -> list[Pair]:
    """Every weight of a ``TokenTransformer``, and what it is there."""
    weights = without_memory(config).named_parameters()
    return [
        Pair(ours, tuple(w.shape), (dialect.name(ours),), tuple(w.shape))
        for ours, w in weights
    ]


def from_dialect(
    weights: Mapping[str, Tensor], config: Mapping[str, Any], dialect: Dialect
) -> dict[str, Tensor]:
    """Their weights under our names.

    Args:
        weights: By name there.
        config: Of a ``TokenTransformer``.
        dialect: How they name it.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    pairs = transformer_pairs(config, dialect)
    check_weights(weights, pairs, remedy=dialect.remedy)
    return to_ours(weights, pairs)


def to_dialect(
    weights: Mapping[str, Tensor], config: Mapping[str, Any], dialect: Dialect
) -> dict[str, Tensor]:
    """The way back of :func:`from_dialect`.

    The layer to the vocabulary, which all others have and none reads, is
    zeros where ours has none.
    """
    theirs = to_theirs(weights, transformer_pairs(config, dialect))
    if not config.get('logits', False):
        name = dialect.outer['to_logits']
        embedded = weights['token_embed.weight']
        theirs[f'{name}.weight'] = torch.zeros_like(embedded)
        theirs[f'{name}.bias'] = torch.zeros_like(embedded[:, 0])
    return theirs
