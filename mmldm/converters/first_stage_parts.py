"""The parts of our first stages, and where in the network each stands."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import nn

from mmldm.models.autoencoders import Autoencoder
from mmldm.models.layers import Downsample, SelfAttention2d, Upsample


class Part(NamedTuple):
    """A module of an encoder or a decoder.

    Attributes:
        ours: Its name.
        side: 'encoder' or 'decoder'.
        kind: 'conv_in', 'block', 'attention', 'resample', 'mid_block',
            'mid_attention', 'norm_out' or 'conv_out'.
        level: Of the first three kinds but the first: 0 is that of the
            image's size; what resamples belongs to the level before it.
        index: Among its kind in its level, or in the middle.
    """

    ours: str
    side: str
    kind: str
    level: int = 0
    index: int = 0


def first_stage_names(
    model: Autoencoder, name: Callable[[Part], str], outer: dict[str, str]
) -> dict[str, str]:
    """Parts of a first stage, and their names elsewhere.

    Args:
        model: The first stage.
        name: A part's name within its encoder or decoder.
        outer: Names of what is outside of both.
    """
    parts = (
        part
        for side in ('encoder', 'decoder')
        if hasattr(model, side)
        for part in _parts(side, getattr(model, side))
    )
    return {p.ours: f'{p.side}.{name(p)}' for p in parts} | outer


def _parts(side: str, layers: nn.Sequential) -> Iterator[Part]:
    """Every part of an encoder or a decoder, in our order."""
    step = 1 if side == 'encoder' else -1
    count = sum(isinstance(x, Downsample | Upsample) for x in layers)
    level = 0 if side == 'encoder' else count
    blocks = 0
    for i, layer in enumerate(layers):
        ours = f'{side}.{i}'
        if isinstance(layer, nn.Conv2d):
            yield Part(ours, side, 'conv_in')
        elif isinstance(layer, nn.Sequential):
            yield from _in_sequence(ours, side, layer)
        elif isinstance(layer, Downsample | Upsample):
            yield Part(ours, side, 'resample', level)
            level, blocks = level + step, 0
        elif isinstance(layer, SelfAttention2d):
            yield Part(ours, side, 'attention', level, blocks - 1)
        else:
            yield Part(ours, side, 'block', level, blocks)
            blocks += 1


def _in_sequence(ours: str, side: str, layers: nn.Sequential) -> list[Part]:
    """Parts of the middle, or of what makes the result."""
    if isinstance(layers[0], nn.GroupNorm):
        return [
            Part(f'{ours}.0', side, 'norm_out'),
            Part(f'{ours}.2', side, 'conv_out'),
        ]
    last = len(layers) - 1
    parts = [
        Part(f'{ours}.0', side, 'mid_block'),
        Part(f'{ours}.{last}', side, 'mid_block', index=1),
    ]
    if last == 2:
        parts.append(Part(f'{ours}.1', side, 'mid_attention'))
    return parts
