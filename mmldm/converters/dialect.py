"""What each weight of our networks is called, and shaped, elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from torch import nn

from mmldm.models.layers import SelfAttention2d, SpatialTransformer

from .pairs import Pair

# A transformer is called the same by all, who have it from the original.
TRANSFORMER = {
    'blocks.': 'transformer_blocks.',
    '.self_attn.': '.attn1.',
    '.cross_attn.': '.attn2.',
    '.to_out.': '.to_out.0.',
    '.feed_forward.proj_in.': '.ff.net.0.proj.',
    '.feed_forward.proj_out.': '.ff.net.2.',
}
# Its projections are convolutions there; see Dialect.
POINTWISE = {
    (SpatialTransformer, 'proj_in.weight'): 2,
    (SpatialTransformer, 'proj_out.weight'): 2,
}


class Dialect(NamedTuple):
    """How others name and shape the same network.

    Attributes:
        modules: Parts of a network of ours -> their names there. A part may
            be named that this network has not.
        inner: Within a part of this type: what has another name there; all
            names, in order, where one of ours is several of theirs.
        pointwise: Linear layers that are convolutions of one position there,
            by type and name, and the axes of positions they have.
        heads_first: Queries, keys and values lie head after head.
    """

    modules: Callable[[nn.Module], dict[str, str]]
    inner: Mapping[type[nn.Module], Mapping[str, str | tuple[str, ...]]]
    pointwise: Mapping[tuple[type[nn.Module], str], int]
    heads_first: bool = False

    def names(self, kind: type[nn.Module], inner: str) -> list[str]:
        """A weight's names within its part there."""
        if kind is SpatialTransformer:
            return [_in_transformer(inner)]
        for ours, theirs in self.inner.get(kind, {}).items():
            rest = inner.removeprefix(ours)
            if rest == inner:
                continue
            theirs = (theirs,) if isinstance(theirs, str) else theirs
            return [name + rest for name in theirs]
        return [inner]


def _in_transformer(name: str) -> str:
    for ours, theirs in TRANSFORMER.items():
        name = name.replace(ours, theirs)
    return name


def pairs_of(model: nn.Module, dialect: Dialect) -> list[Pair]:
    """Every weight of a network, and what it is there.

    Raises:
        ValueError: If one has no counterpart.
    """
    return list(_pairs(model, dialect))


def _pairs(model: nn.Module, dialect: Dialect) -> Iterator[Pair]:
    modules = dialect.modules(model)
    for ours, weight in model.named_parameters():
        module = next((m for m in modules if ours.startswith(f'{m}.')), None)
        if module is None:
            raise ValueError(
                f'{ours} of {type(model).__name__} has no counterpart in '
                'what it is converted to'
            )
        layer = model.get_submodule(module)
        inner = ours.removeprefix(f'{module}.')
        names = dialect.names(type(layer), inner)
        rows, *others = weight.shape
        ones = [1] * dialect.pointwise.get((type(layer), inner), 0)
        by_head = isinstance(layer, SelfAttention2d) and 'qkv' in inner
        yield Pair(
            ours,
            tuple(weight.shape),
            tuple(f'{modules[module]}.{name}' for name in names),
            (rows // len(names), *others, *ones),
            layer.num_heads if by_head and dialect.heads_first else 0,
        )
