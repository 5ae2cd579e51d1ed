import math

import pytest
import torch

from mmldm.models.layers.positions import (
    rotary_turns,
    rotate,
    sine_positions,
)


@pytest.mark.parametrize('row, column', [(0, 0), (0, 3), (2, 1)])
@pytest.mark.parametrize('dim', [4, 16])
def test_sine_positions_have_their_closed_form(row, column, dim):
    """Of the column, then of the row: sines and cosines of p 10000^(-i/k)."""
    found = sine_positions(3, 5, dim)[5 * row + column]
    count = dim // 4
    expected = []
    for place in (column, row):
        angles = [place * 10_000 ** (-i / count) for i in range(count)]
        expected += [*map(math.sin, angles), *map(math.cos, angles)]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_place_has_one_position_whatever_the_grid():
    """Its row and its column count, not the size at hand."""
    small = sine_positions(3, 5, 16).unflatten(0, (3, 5))
    large = sine_positions(8, 9, 16).unflatten(0, (8, 9))
    torch.testing.assert_close(small, large[:3, :5])


def scores(q, k, height, width):
    """Of every query with every key, by row and column."""
    turns = rotary_turns(height, width, q.shape[-1])
    places = height * width
    turned = [rotate(x.expand(places, -1), turns) for x in (q, k)]
    products = turned[0] @ turned[1].T
    return products.unflatten(0, (height, width)).unflatten(2, (height, width))


def test_rotary_scores_depend_on_relative_places_alone():
    """One query and one key everywhere: shifting both changes nothing."""
    found = scores(*torch.randn(2, 16), 6, 7)
    for rows, columns in ((1, 0), (0, 1), (2, 3)):
        torch.testing.assert_close(
            found[rows:, columns:, rows:, columns:],
            found[: 6 - rows, : 7 - columns, : 6 - rows, : 7 - columns],
            rtol=1e-4,
            atol=1e-5,
        )
    assert (found[0, 0, 1, 0] - found[0, 0, 0, 1]).abs() > 1e-3


def test_rotary_scores_have_their_closed_form():
    """Su et al. 2021, eq. 16: each pair of channels as a complex number."""
    q, k = torch.randn(2, 8)
    found = scores(q, k, 3, 4)[0, 1, 2, 3]
    pairs = [torch.complex(x[:4], x[4:]) for x in (q, k)]
    frequencies = torch.tensor([1, 0.01, 1, 0.01])
    apart = torch.tensor([2, 2, 2, 2]) * frequencies
    turned = pairs[0] * pairs[1].conj() * torch.polar(torch.ones(4), -apart)
    torch.testing.assert_close(found, turned.sum().real)


def test_turning_keeps_lengths_and_the_first_place():
    turns = rotary_turns(3, 3, 8)
    x = torch.randn(9, 8)
    turned = rotate(x, turns)
    torch.testing.assert_close(turned.norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(turned[0], x[0])
    assert rotate(x.bfloat16(), turns).dtype == torch.bfloat16
