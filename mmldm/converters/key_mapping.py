"""Names and shapes of our weights in other systems.

A converter defines one :class:`KeyMapping` for each network. It converts
weights in both directions, and names those that do not fit.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

# Imported here: within a meta device context the registry must be filled.
import mmldm.models  # noqa: F401
from mmldm.models.layers import SelfAttention2d, SpatialTransformer
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import few

Weights = Mapping[str, Tensor]
Config = Mapping[str, Any]
# Advice if weights do not fit: for the original, and for diffusers.
YAML = 'Give the yaml file they were trained with'
JSON = 'Give the config.json that was saved with them'
# All systems have the original's names for a transformer.
TRANSFORMER = {
    'blocks.': 'transformer_blocks.',
    '.self_attn.': '.attn1.',
    '.cross_attn.': '.attn2.',
    '.to_out.': '.to_out.0.',
    '.feed_forward.proj_in.': '.ff.net.0.proj.',
    '.feed_forward.proj_out.': '.ff.net.2.',
}
# Projections are convolutions there.
POINTWISE = {
    (SpatialTransformer, 'proj_in.weight'): 2,
    (SpatialTransformer, 'proj_out.weight'): 2,
}


class Pair(NamedTuple):
    """One weight of ours, and its counterpart.

    Attributes:
        ours: Name of our weight.
        shape: Shape of our weight.
        theirs: Names of their weights, the parts of ours along axis 0.
        part_shape: Shape of each part.
        heads: Number of attention heads if they store queries, keys and
            values head by head. Ours stores all queries first. 0 if the
            order of rows is the same.
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
        """Our weight; it shares memory with theirs if it is the same."""
        parts = [weights[name] for name in self.theirs]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        if self.heads:
            joined = _swap(joined, self.heads, 3)
        return joined.reshape(self.shape).contiguous()

    def to_theirs(self, weights: Weights) -> Iterator[tuple[str, Tensor]]:
        """Their weights by name, the inverse of :meth:`to_ours`."""
        weight = weights[self.ours]
        if self.heads:
            weight = _swap(weight, 3, self.heads)
        parts = weight.chunk(len(self.theirs))
        for name, part in zip(self.theirs, parts, strict=True):
            # A contiguous copy, as the model may change its own weights.
            part = part.reshape(self.part_shape)
            yield name, part.clone(memory_format=torch.contiguous_format)


def _swap(rows: Tensor, outer: int, inner: int) -> Tensor:
    """Exchange the outer and the inner groups of rows."""
    return rows.unflatten(0, (outer, inner, -1)).transpose(0, 1).flatten(0, 2)


class KeyMapping(NamedTuple):
    """Names and shapes of a network's weights in another system.

    Attributes:
        modules: Names of our network's parts -> names in the other system.
            Parts that a network does not have are ignored.
        inner: By type of a part: names within it that differ. If one weight
            of ours is several of theirs, all their names, in order.
        pointwise: Linear layers that are 1x1 convolutions there, by type and
            name, with the number of their spatial axes.
        heads_first: Whether queries, keys and values are stored head by
            head.
        left_out: Prefixes of names that we do not need, with the reason.
        today: Converts weights of older files to the current names.
        remedy: Advice if weights do not fit.
    """

    modules: Callable[[nn.Module], Mapping[str, str]]
    inner: Mapping[type[nn.Module], Mapping[str, str | tuple[str, ...]]] = {}
    pointwise: Mapping[tuple[type[nn.Module], str], int] = {}
    heads_first: bool = False
    left_out: Mapping[str, str] = {}
    today: Callable[[Weights], Weights] = dict
    remedy: str = YAML

    def read(self, weights: Weights, config: Config) -> dict[str, Tensor]:
        """All weights that a network of ours loads.

        Args:
            weights: Weights of the other system, by name.
            config: Config of our network.

        Raises:
            ValueError: If a weight is missing, unknown or has another shape.
                The message has the names in both systems.
        """
        model, weights = without_memory(config), self.today(weights)
        pairs = list(self.pairs(model))
        weights = _with_axes(weights, pairs)
        check_weights(weights, pairs, self.left_out, self.remedy)
        stored = model.state_dict()
        measured = {
            name: value  # scale and shift of latents
            for name, value in model.named_buffers(recurse=False)
            if name in stored
        }
        return measured | {pair.ours: pair.to_ours(weights) for pair in pairs}

    def write(self, weights: Weights, config: Config) -> dict[str, Tensor]:
        """All weights that their network loads, the inverse of :meth:`read`.

        Args:
            weights: Weights of a network built from ``config``, by name.
            config: Config of our network.

        Raises:
            ValueError: If a part has no counterpart.
        """
        pairs = self.pairs(without_memory(config))
        return dict(part for pair in pairs for part in pair.to_theirs(weights))

    def pairs(self, model: nn.Module) -> Iterator[Pair]:
        """Every weight of a network, with its counterpart."""
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
        """Names of a weight within its part in the other system."""
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


def _with_axes(weights: Weights, pairs: Sequence[Pair]) -> dict[str, Tensor]:
    """Weights of 1x1 convolutions and of linear layers in the usual form.

    Both compute the same, and files differ in the axes of length 1.
    """
    found = dict(weights)
    for pair in pairs:
        for name in pair.theirs:
            wanted, weight = pair.part_shape, weights.get(name)
            if weight is None or tuple(weight.shape) == wanted:
                continue
            if _without_ones(weight.shape) == _without_ones(wanted):
                found[name] = weight.reshape(wanted)
    changed = [n for n in found if found[n] is not weights[n]]
    if changed:
        print_log(
            f'{len(changed)} projections are linear layers in place of 1x1 '
            f'convolutions, or the reverse, which compute the same: '
            f'{few(changed)}',
            logger='current',
        )
    return found


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    """The first two axes of a shape whose other axes have length 1."""
    ones = set(shape[2:]) <= {1}
    return tuple(shape[:2]) if ones else tuple(shape)


def part_of(weights: Weights, start: str) -> dict[str, Tensor]:
    """Weights whose names have a prefix, by the rest of their names."""
    return {
        name.removeprefix(start): weight
        for name, weight in weights.items()
        if name.startswith(start)
    }


def under(start: str, weights: Weights) -> dict[str, Tensor]:
    """Weights with a prefix before their names."""
    return {start + name: weight for name, weight in weights.items()}


def without_memory(config: Config) -> nn.Module:
    """The model of a config on the meta device, for names and shapes."""
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
        weights: Weights of the other system, by name.
        pairs: All expected weights.
        left_out: Prefixes of names that are not needed.
        remedy: Advice for the message.
        most: Largest number of misfits in the message.

    Raises:
        ValueError: If a weight is missing, unknown or has another shape.
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
