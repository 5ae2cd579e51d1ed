"""Encoders and decoders in tiles, with the same result as in one piece.

Overlapping tiles with blended seams change colours, as each tile is normalised
by its own mean and variance. Here each tile has a halo as wide as its
convolutions reach. Its norms use the statistics of the whole map, which take
one pass over all tiles for each norm.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import compress, pairwise, product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..layers import Downsample, ResBlock, SelfAttention2d, Upsample
from .tiled_norms import Box, Moments, UnknownNorm, WholeMapNorm, merged

# Smaller tiles are mostly halo. Published decoders reach 8 pixels, which costs
# 1.6 times the work for tiles of 64 pixels and 2.3 times for 32.
MIN_TILE_SIZE = 64
GROWTH = {Upsample: 2, Downsample: 0.5}  # of height and width
LOCAL = (nn.Conv2d, nn.GroupNorm, nn.SiLU, ResBlock, *GROWTH)


def tiled_forward(net: nn.Sequential, x: Tensor, tile_size: int) -> Tensor:
    """Compute ``net(x)`` of a large map, up to rounding, in little memory.

    Whole maps are stored only where the resolution changes, on the smaller
    side, around attention, and after residual blocks whose map is not larger
    than those. All else is computed in tiles, and again for each norm: twice
    the work for an encoder with f = 4, 3.4 times for a decoder.

    Args:
        net: An ``Encoder`` or a ``Decoder``.
        x: Input of ``net``, (B, C, h, w).
        tile_size: Side of a tile in image pixels, at least 64; an odd size
            counts as the next even one. An image that is not larger goes
            through the net in one piece.

    Raises:
        ValueError: If tiles are too small, if a map is to be tiled but needs
            gradients, or if it is unknown how far a layer reaches.
    """
    check_tile_size(tile_size)
    steps = [*_flatten(net)]
    growth = math.prod(map(_growth, steps))
    image_size = int(max(x.shape[2:]) * max(1, growth))
    if image_size <= tile_size:
        return net(x)
    if torch.is_grad_enabled():
        raise ValueError(
            f'{image_size} pixels in tiles of {tile_size} have no gradients: '
            'call under torch.no_grad(), or set tile_size=None'
        )
    for stage in _stages(steps):
        x = _stage_forward(stage, x, Fraction(tile_size, image_size))
    return x


def check_tile_size(tile_size: int | None) -> None:
    """Raise unless tiles are much larger than their halo; None for none."""
    if tile_size is not None and tile_size < MIN_TILE_SIZE:
        raise ValueError(
            f'tile_size={tile_size} makes tiles that are mostly halo: set '
            f'tile_size to {MIN_TILE_SIZE} or more, such as 512'
        )


def _flatten(net: nn.Sequential) -> Iterator[nn.Module]:
    """The layers of nested ``nn.Sequential``."""
    for layer in net:
        if isinstance(layer, nn.Sequential):
            yield from _flatten(layer)
        elif isinstance(layer, (*LOCAL, SelfAttention2d)):
            yield layer
        else:
            raise ValueError(
                f'{type(layer).__name__} may reach further than the halo of a '
                'tile: set tile_size=None'
            )


def _growth(step: nn.Module) -> float:
    """Ratio of the heights of a step's output and input."""
    return GROWTH.get(type(step), 1)


def _parts(module: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [part for part in module.modules() if isinstance(part, kind)]


def _stages(steps: Sequence[nn.Module]) -> list[nn.Sequential]:
    """Steps in groups, with whole maps stored only between groups.

    A residual block also ends a group if its map is not larger than the maps
    stored anyway: groups with fewer norms need less repeated work.
    """
    must_store = [
        isinstance(step, Downsample | SelfAttention2d)
        or isinstance(following, Upsample | SelfAttention2d)
        for step, following in pairwise(steps)
    ]
    sizes = [*_map_sizes(steps)]
    largest = max(compress(sizes, must_store), default=0)
    cuts = [
        i + 1
        for i, must in enumerate(must_store)
        if must or (isinstance(steps[i], ResBlock) and sizes[i] <= largest)
    ]
    return [
        nn.Sequential(*steps[start:stop])
        for start, stop in pairwise([0, *cuts, len(steps)])
    ]


def _map_sizes(steps: Sequence[nn.Module]) -> Iterator[float]:
    """Channels times area of each step's result; the input has area 1."""
    area, channels = 1.0, 0
    for step in steps:
        area *= _growth(step) ** 2
        if convs := _parts(step, nn.Conv2d):
            channels = convs[-1].out_channels
        yield channels * area


class Tile(NamedTuple):
    """Boxes of a tile in the map, of its halo, and of the tile in the halo."""

    own: Box
    padded: Box
    inner: Box


@torch.compiler.set_stance('force_eager')  # compiled norms stay as they are
def _stage_forward(stage: nn.Sequential, x: Tensor, share: Fraction) -> Tensor:
    """``stage(x)`` in tiles with this share of the map's longer side."""
    if isinstance(stage[0], SelfAttention2d):
        return stage(x)
    up = 2 if isinstance(stage[0], Upsample) else 1
    down = 2 if isinstance(stage[-1], Downsample) else 1
    height, width = (side * up for side in x.shape[2:])
    halo = sum(conv.kernel_size[0] // 2 for conv in _parts(stage, nn.Conv2d))
    tiles = _tiles(height, width, share * max(height, width), halo)
    known: list[Moments] = []

    def run(tile: Tile) -> Tensor | Moments:
        try:
            with WholeMapNorm(known, tile.inner):
                out = stage(_crop(x, tile.padded, up))
        except UnknownNorm as reached:
            return reached.moments
        return _crop(out, tile.inner, down)

    for _ in _parts(stage, nn.GroupNorm):
        known.append(merged([run(tile) for tile in tiles]))
    whole = None
    for tile in tiles:
        part = run(tile)
        if whole is None:
            size = (*part.shape[:2], height // down, width // down)
            whole = part.new_empty(size)
        _crop(whole, tile.own, down).copy_(part)
    return whole


def _tiles(height: int, width: int, side: Fraction, halo: int) -> list[Tile]:
    """Tiles of a map with halos cut at its border, where zeros are padded.

    Tile bounds are even, since the resolution changes at either end.
    """
    side, halo = (2 * math.ceil(length / 2) for length in (side, halo))
    rows, columns = (
        [_spans(start, side, halo, end) for start in range(0, end, side)]
        for end in (height, width)
    )
    return [
        Tile(*zip(row, column, strict=True))
        for row, column in product(rows, columns)
    ]


def _spans(
    start: int, side: int, halo: int, end: int
) -> tuple[slice, slice, slice]:
    """:class:`Tile` along one side of a map of ``end`` positions."""
    stop, before = min(start + side, end), max(start - halo, 0)
    return (
        slice(start, stop),
        slice(before, stop + halo),  # slicing clips at the border
        slice(start - before, stop - before),
    )


def _crop(x: Tensor, box: Box, factor: int) -> Tensor:
    """A box of a map ``factor`` times larger, as a view of ``x``."""
    rows, columns = (slice(s.start // factor, s.stop // factor) for s in box)
    return x[..., rows, columns]
