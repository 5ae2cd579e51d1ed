"""Networks whose weights are loaded right after they are built."""

import pytest
import torch
from torch import nn

from mmldm.utils.unfilled import UnfilledNetworks


class Layers(nn.Module):
    """A weight by each way of PyTorch and of ours."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.conv = nn.Conv2d(3, 4, 3)
        self.table = nn.Embedding(5, 3)
        self.attention = nn.MultiheadAttention(4, 2)
        self.recurrent = nn.LSTM(3, 4)
        self.norm = nn.GroupNorm(2, 4)
        self.own = nn.Parameter(torch.empty(5).normal_(0, 0.02))
        nn.init.trunc_normal_(tensor=self.table.weight, std=0.02)
        self.register_buffer('fixed', torch.linspace(0, 1, 7), False)


def test_nothing_is_random_and_constants_are_set():
    before = torch.get_rng_state()
    with UnfilledNetworks():
        layers = Layers()
    assert torch.equal(torch.get_rng_state(), before)
    assert layers.norm.weight.equal(torch.ones(4))
    assert layers.fixed.equal(torch.linspace(0, 1, 7))


def test_loaded_weights_arrive():
    trained = Layers()
    with UnfilledNetworks():
        layers = Layers()
    layers.load_state_dict(trained.state_dict())
    for mine, theirs in zip(
        layers.parameters(), trained.parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)
    assert all(weight.requires_grad for weight in layers.parameters())


def test_random_numbers_are_as_usual_after_an_error():
    with pytest.raises(RuntimeError), UnfilledNetworks():
        raise RuntimeError
    assert torch.empty(9).uniform_(1, 2).min() >= 1
