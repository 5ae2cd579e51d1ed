"""The generator of normal noise; Salmon et al. 2011 and their Random123."""

import numpy as np
import pytest
import torch

from mmldm.utils import philox

ONES = 2**64 - 1
# Counter, key and result of `philox4x64 10` in Random123's kat_vectors.
PUBLISHED = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (
            0x16554D9ECA36314C,
            0xDB20FE9D672D0FDC,
            0xD7E772CEE186176B,
            0x7E68B68AEC7BA23B,
        ),
    ),
    (
        (ONES, ONES, ONES, ONES),
        (ONES, ONES),
        (
            0x87B092C3013FE90B,
            0x438C3C67BE8D0224,
            0x9CC7D7C69CD777B6,
            0xA09CAEBF594F0BA0,
        ),
    ),
    (
        (
            0x243F6A8885A308D3,
            0x13198A2E03707344,
            0xA4093822299F31D0,
            0x082EFA98EC4E6C89,
        ),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (
            0xA528F45403E61D95,
            0x38C72DBD566E9788,
            0xA5A1610E72FD18B5,
            0x57BD43B5E52B7FE6,
        ),
    ),
]
KEYS = [0, 7, 2**128 - 1, 0x452821E638D01377BE5466CF34E90C6C]


def bits(*values):
    """Unsigned words as the bits of int64."""
    return torch.from_numpy(np.array(values, np.uint64).view(np.int64))


@pytest.mark.parametrize('counter, key, expected', PUBLISHED)
def test_the_published_words(counter, key, expected):
    rounds = philox.round_keys([key[0] + (key[1] << 64)])
    words = philox.philox(
        torch.from_numpy(rounds),
        bits(counter[0], counter[2])[:, None],
        bits(counter[1], counter[3])[:, None],
    )
    assert torch.equal(words[0, 0], bits(*expected))


@pytest.mark.parametrize('call', [0, 1, 999])
@pytest.mark.parametrize('count', [1, 4, 1001])
def test_tensor_operations_and_numpy_make_the_same_words(call, count):
    rounds = torch.from_numpy(philox.round_keys(KEYS))
    words = philox.words(rounds, call, count)
    for key, row in zip(KEYS, words, strict=True):
        stream = np.random.Philox(key=key, counter=[0, call, 0, 0])
        assert np.array_equal(
            row.numpy().view(np.uint64), stream.random_raw(count)
        )


@pytest.mark.parametrize('count', [1, 5, 12_288])
def test_all_devices_make_the_same_noise_up_to_rounding(count):
    like = torch.empty(len(KEYS), count)
    rounds = torch.from_numpy(philox.round_keys(KEYS))
    words = philox.words(rounds, 3, -(-count // 2))
    other = philox.box_muller(words)[:, :count]
    torch.testing.assert_close(
        philox.normal(KEYS, 3, like), other, rtol=1e-5, atol=1e-6
    )


def test_noise_does_not_depend_on_the_number_of_threads(monkeypatch):
    like = torch.empty(9, 2, 13, 11)
    keys = range(9)
    alone = philox.normal(keys, 0, like)
    monkeypatch.setattr(philox, 'NUMBERS_A_THREAD', 1)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 4)
    assert torch.equal(philox.normal(keys, 0, like), alone)


def test_the_smallest_and_largest_words_give_finite_noise():
    """The radius is 6.66 at most, from a fraction of 2^-32."""
    words = bits(0, ONES, 2**31, 2**63 - 1, 2**31 - 1, 2**63)[None]
    noise = philox.box_muller(words)
    assert noise.isfinite().all() and noise.abs().max() < 6.7


def test_the_tails_are_as_heavy_as_they_should_be():
    """Numbers beyond 4: 63 in a million are expected."""
    x = philox.normal(range(10), 0, torch.empty(10, 400_000))
    expected = 4e6 * 6.334e-5
    found = int((x.abs() > 4).sum())
    assert abs(found - expected) < 4 * expected**0.5


def test_radius_and_angle_are_independent():
    """Sine and cosine of a pair are not correlated, nor their squares."""
    x = philox.normal([5], 0, torch.empty(1, 400_000))[0].double()
    first, second = x.chunk(2)
    bound = 4 / len(first) ** 0.5
    assert abs((first * second).mean()) < bound
    squares = (first.square() - 1) * (second.square() - 1) / 2
    assert abs(squares.mean()) < bound
