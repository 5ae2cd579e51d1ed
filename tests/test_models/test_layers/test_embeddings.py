import math

import pytest
import torch

from mmldm.models.layers import TimeEmbedding, sinusoidal_embedding


@pytest.mark.parametrize('t', [0, 1, 17.25, 999])
@pytest.mark.parametrize('dim', [2, 8])
def test_the_embedding_is_cosines_then_sines(t, dim):
    """Of t 10000^(-i / half)."""
    embedding = sinusoidal_embedding(torch.tensor([t]), dim)[0]
    half = dim // 2
    angles = [t * 10_000 ** (-i / half) for i in range(half)]
    expected = [*map(math.cos, angles), *map(math.sin, angles)]
    assert embedding.tolist() == pytest.approx(expected, abs=1e-4)


def test_whole_times_may_be_integers():
    t = torch.tensor([3, 500])
    assert torch.equal(
        sinusoidal_embedding(t, 8), sinusoidal_embedding(t.double(), 8)
    )


def test_neighbouring_times_differ_after_the_network():
    embed = TimeEmbedding(32, 16)
    t = torch.tensor([0.0, 0.5, 1, 500, 999])
    assert len(embed(t).unique(dim=0)) == 5


def test_a_bfloat16_network_is_told_the_time_in_float32():
    """999 is no bfloat16, which would make it 1000."""
    embed = TimeEmbedding(32, 16).bfloat16()
    expected = sinusoidal_embedding(torch.tensor([999.0]), 32).bfloat16()
    assert torch.equal(embed(torch.tensor([999.0])), embed.mlp(expected))
