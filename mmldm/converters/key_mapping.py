"""What each weight of a network of ours is called and shaped elsewhere.

A converter states one :class:`KeyMapping` a network, which moves weights
along it, either way, and names what does not fit.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# Here, lest the registry imports it where no tensor has memory.
import mmldm.models  # noqa: F401
from mmldm.models.layers import SelfAttention2d, SpatialTransformer
from mmldm.registry import MODELS

Weights = Mapping[str, Tensor]
Config = Mapping[str, Any]
# What may have been given wrongly where weights of the original do not fit,
# and where those of diffusers do not.
YAML = 'Give the yaml file they were trained with'
JSON = 'Give the config.json that was saved with them'
# A transformer is called the same by all, who have it from the original.
TRANSFORMER = {
    'blocks.': 'transformer_blocks.',
    '.self_attn.': '.attn1.',
    '.cross_attn.': '.attn2.',
    '.to_out.': '.to_out.0.',
    '.feed_forward.proj_in.': '.ff.net.0.proj.',
    '.feed_forward.proj_out.': '.ff.net.2.',
}
# Its projections are convolutions there.
POINTWISE = {
    (SpatialTransformer, 'proj_in.weight'): 2,
    (SpatialTransformer, 'proj_out.weight'): 2,
}


class Pair(NamedTuple):
    """One weight of ours, and what it is there.

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

    def to_ours(self, weights: Weights) -> Tensor:
        """It shares the memory of theirs where it is the same."""
        parts = [weights[name] for name in self.theirs]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        if self.heads:
            joined = _swap(joined, self.heads, 3)
        return joined.reshape(self.shape).contiguous()

    def to_theirs(self, weights: Weights) -> Iterator[tuple[str, Tensor]]:
        """The way back of :meth:`to_ours`."""
        weight = weights[self.ours]
        if self.heads:
            weight = _swap(weight, 3, self.heads)
        parts = weight.chunk(len(self.theirs))
        for name, part in zip(self.theirs, parts, strict=True):
            # A copy in the usual order: the model may go on changing its own.
            part = part.reshape(self.part_shape)
            yield name, part.clone(memory_format=torch.contiguous_format)


def _swap(rows: Tensor, outer: int, inner: int) -> Tensor:
    """Rows in groups of groups, the two kinds of groups exchanged."""
    return rows.unflatten(0, (outer, inner, -1)).transpose(0, 1).flatten(0, 2)


class KeyMapping(NamedTuple):
    """How others name and shape the weights of a network of ours.

    Attributes:
        modules: Parts of a network of ours -> their names there. A part may
            be named that this network has not.
        inner: Within a part of this type: what has another name there; all
            names, in order, where one of ours is several of theirs.
        pointwise: Linear layers that are convolutions of one position there,
            by type and name, and the axes of positions they have.
        heads_first: Queries, keys and values lie head after head.
        left_out: Starts of their names that have no place here, and why.
        today: Makes weights of older files those that the others say.
        remedy: Where weights do not fit: what may have been given wrongly.
    """

    modules: Callable[[nn.Module], Mapping[str, str]]
    inner: Mapping[type[nn.Module], Mapping[str, str | tuple[str, ...]]] = {}
    pointwise: Mapping[tuple[type[nn.Module], str], int] = {}
    heads_first: bool = False
    left_out: Mapping[str, str] = {}
    today: Callable[[Weights], Weights] = dict
    remedy: str = YAML

    def read(self, weights: Weights, config: Config) -> dict[str, Tensor]:
        """All that a network of ours loads.

        Args:
            weights: Theirs, by name.
            config: Of the network of ours.

        Raises:
            ValueError: If any weight is missing, of another shape or not
                known; theirs and ours are named.
        """
        model, weights = without_memory(config), self.today(weights)
        pairs = list(self.pairs(model))
        check_weights(weights, pairs, self.left_out, self.remedy)
        stored = model.state_dict()
        measured = {
            name: value  # scale and shift of latents
            for name, value in model.named_buffers(recurse=False)
            if name in stored
        }
        return measured | {pair.ours: pair.to_ours(weights) for pair in pairs}

    def write(self, weights: Weights, config: Config) -> dict[str, Tensor]:
        """The way back: all that their network loads.

        Args:
            weights: Of a network that was built from ``config``, by name.
            config: As of :meth:`read`.

        Raises:
            ValueError: If a part has no counterpart there.
        """
        pairs = self.pairs(without_memory(config))
        return dict(part for pair in pairs for part in pair.to_theirs(weights))

    def pairs(self, model: nn.Module) -> Iterator[Pair]:
        """Every weight of a network, and what it is there."""
        modules = self.modules(model)
        for ours, weight in model.named_parameters():
            module = next(
                (m for m in modules if ours.startswith(f'{m}.')), None
            )
            if module is None:
                raise ValueError(
                    f'{ours} of {type(model).__name__} has no counterpart in '
                    'what it is converted to'
                )
            layer = model.get_submodule(module)
            inner = ours.removeprefix(f'{module}.')
            names = self._names(type(layer), inner)
            rows, *others = weight.shape
            ones = [1] * self.pointwise.get((type(layer), inner), 0)
            by_head = isinstance(layer, SelfAttention2d) and 'qkv' in inner
            yield Pair(
                ours,
                tuple(weight.shape),
                tuple(f'{modules[module]}.{name}' for name in names),
                (rows // len(names), *others, *ones),
                layer.num_heads if by_head and self.heads_first else 0,
            )

    def _names(self, kind: type[nn.Module], inner: str) -> list[str]:
        """A weight's names within its part there."""
        if kind is SpatialTransformer:
            for ours, theirs in TRANSFORMER.items():
                inner = inner.replace(ours, theirs)
            return [inner]
        for ours, theirs in self.inner.get(kind, {}).items():
            rest = inner.removeprefix(ours)
            if rest == inner:
                continue
            theirs = (theirs,) if isinstance(theirs, str) else theirs
            return [name + rest for name in theirs]
        return [inner]


def part_of(weights: Weights, start: str) -> dict[str, Tensor]:
    """Weights whose names start so, by the rest of their names."""
    return {
        name.removeprefix(start): weight
        for name, weight in weights.items()
        if name.startswith(start)
    }


def under(start: str, weights: Weights) -> dict[str, Tensor]:
    """The way back of :func:`part_of`."""
    return {start + name: weight for name, weight in weights.items()}


def without_memory(config: Config) -> nn.Module:
    """The model of a config, for the names and shapes of its weights."""
    with torch.device('meta'):
        return MODELS.build(dict(config))


def check_weights(
    weights: Weights,
    pairs: Sequence[Pair],
    left_out: Collection[str] = (),
    remedy: str = YAML,
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
