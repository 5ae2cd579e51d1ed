"""Positions of tokens on a grid: sines to add, or angles to turn by."""

import torch
from torch import Tensor

# Longest wave over shortest, as in Vaswani et al. 2017, section 3.5.
BASE = 10_000


def sine_positions(
    height: int, width: int, dim: int, device: torch.device | None = None
) -> Tensor:
    """Sines and cosines of each token's column, then of its row.

    Both have dim / 4 frequencies from 1 downwards; Vaswani et al. 2017,
    section 3.5, for two axes as in Peebles & Xie 2023 (arXiv:2212.09748).

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        dim: Channels of a token, a multiple of 4.
        device: Device of the result.

    Returns:
        float32, (height * width, dim), row by row.
    """
    rows, columns = (
        _angles(length, dim // 4, device) for length in (height, width)
    )
    of_row, of_column = (
        torch.cat([angles.sin(), angles.cos()], dim=1)
        for angles in (rows, columns)
    )
    grid = [
        of_column.expand(height, -1, -1),
        of_row[:, None].expand(-1, width, -1),
    ]
    return torch.cat(grid, dim=-1).flatten(0, 1)


def rotary_turns(
    height: int, width: int, dim: int, device: torch.device | None = None
) -> Tensor:
    """Cosines and sines of the angles that :func:`rotate` turns by.

    The first half of the pairs turns with the row, the other half with the
    column; Su et al. 2021 (arXiv:2104.09864), eq. 15, for two axes.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        dim: Channels of a head, a multiple of 4.
        device: Device of the result.

    Returns:
        float32, (2, height * width, dim / 2), row by row.
    """
    rows, columns = (
        _angles(length, dim // 4, device) for length in (height, width)
    )
    grid = [
        rows[:, None].expand(-1, width, -1),
        columns.expand(height, -1, -1),
    ]
    angles = torch.cat(grid, dim=-1).flatten(0, 1)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Rotate pairs of channels: channel i with channel i + D / 2.

    Args:
        x: Queries or keys, (..., L, D).
        turns: Result of :func:`rotary_turns`, (2, L, D / 2).

    Returns:
        Shape and dtype of ``x``; computed in float32.
    """
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = turns
    turned = [first * cos - second * sin, first * sin + second * cos]
    return torch.cat(turned, dim=-1).to(x.dtype)


def _angles(length: int, count: int, device: torch.device | None) -> Tensor:
    """Products of positions and frequencies, (length, count)."""
    places = torch.arange(length, device=device, dtype=torch.float32)
    exponent = torch.arange(count, device=device) / count
    return places[:, None] * BASE**-exponent
