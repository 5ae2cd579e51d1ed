"""Estimates window by window."""

import pytest
import torch

from mmldm.diffusion import Windows
from mmldm.structures import Condition


def blend(windows, predict, z, **condition):
    return windows(predict)(z, 'level', Condition(**condition))


@pytest.mark.parametrize('size', [(8, 8), (5, 30), (19, 8), (31, 17)])
@pytest.mark.parametrize('overlap', [None, 0, 7])
def test_what_looks_at_one_position_is_the_same_in_windows(size, overlap):
    z, spatial = torch.randn(2, 3, *size), torch.randn(2, 1, *size)

    def predict(z, level, condition, guide):
        assert level == 'level' and not guide
        return 2 * z + condition.spatial

    found = blend(Windows(8, overlap), predict, z, spatial=spatial)
    torch.testing.assert_close(found, 2 * z + spatial)


@pytest.mark.parametrize('side', [8, 9, 12, 15, 16, 40, 41])
@pytest.mark.parametrize('overlap', [0, 3, 7])
def test_windows_cover_all_and_share_what_they_should(side, overlap):
    boxes = Windows(8, overlap).boxes((side, 3))
    starts = [rows.start for rows, _ in boxes]
    assert starts[0] == 0 and boxes[-1][0].stop == side
    shared = [a + 8 - b for a, b in zip(starts, starts[1:], strict=False)]
    assert min(shared, default=overlap) >= overlap
    # None more than needed.
    assert len(starts) == 1 + -(-(side - 8) // (8 - overlap))


def test_no_window_is_larger_and_one_suffices_for_what_is_not():
    seen = []

    def predict(z, level, condition, guide):
        seen.append(tuple(z.shape[2:]))
        return z

    blend(Windows(8), predict, torch.randn(1, 1, 30, 9))
    assert set(seen) == {(8, 8)} and len(seen) > 1
    seen.clear()
    blend(Windows(8), predict, torch.randn(1, 1, 8, 5))
    assert seen == [(8, 5)]


def test_estimates_are_blended_by_how_far_they_are_from_a_border():
    """Two windows of 4 over 6 positions share two: weights 1 2 2 1."""
    values = iter([0.0, 1.0])

    def predict(z, level, condition, guide):
        return torch.full_like(z, next(values))

    found = blend(Windows(4, 2), predict, torch.zeros(1, 1, 4, 6))
    expected = torch.tensor([0, 0, 1 / 3, 2 / 3, 1, 1])
    torch.testing.assert_close(found, expected.expand(1, 1, 4, 6))


def test_tokens_vectors_and_the_guide_are_told_whole():
    tokens, vector = torch.randn(1, 2, 3), torch.randn(1, 3)

    def predict(z, level, condition, guide):
        assert condition.tokens is tokens and condition.vector is vector
        assert guide
        return z

    condition = Condition(tokens=tokens, vector=vector)
    Windows(4)(predict)(torch.randn(1, 1, 9, 9), 'level', condition, True)


@pytest.mark.parametrize(
    'arguments, message',
    [
        ((4, 4), r'overlap=4 must be in \[0, 4\)'),
        ((4, -1), 'overlap=-1'),
        ((0,), 'Windows.size=0'),
    ],
)
def test_windows_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Windows(*arguments)
