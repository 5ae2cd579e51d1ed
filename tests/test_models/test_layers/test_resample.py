import pytest
import torch
from torch import nn

from mmldm.models.layers import Downsample, Upsample, double, halve


def with_kernel(layer, kernel):
    nn.init.zeros_(layer.conv.bias)
    layer.conv.weight.data.copy_(torch.tensor(kernel).view(1, 1, 3, 3))
    return layer


@pytest.mark.parametrize(
    'pad_end_only, ones', [(False, [[4, 6], [6, 9]]), (True, [[9, 6], [6, 4]])]
)
def test_downsampling_pads_where_it_says(pad_end_only, ones):
    """Summed windows of ones count the pixels that are not padding."""
    layer = with_kernel(Downsample(1, pad_end_only), [1.0] * 9)
    assert layer(torch.ones(1, 1, 4, 4))[0, 0].tolist() == ones


def test_upsampling_repeats_every_pixel():
    centre = [0.0, 0, 0, 0, 1, 0, 0, 0, 0]
    x = torch.tensor([[1.0, 2], [3, 4]]).view(1, 1, 2, 2)
    assert with_kernel(Upsample(1), centre)(x)[0, 0].tolist() == [
        [1, 1, 2, 2],
        [1, 1, 2, 2],
        [3, 3, 4, 4],
        [3, 3, 4, 4],
    ]


def test_upsampling_convolves_afterwards():
    left = [0.0, 0, 0, 1, 0, 0, 0, 0, 0]
    x = torch.tensor([[1.0, 2]]).view(1, 1, 1, 2)
    assert with_kernel(Upsample(1), left)(x)[0, 0, 0].tolist() == [0, 1, 1, 2]


def test_halves_are_means():
    """A border that is alone stands for itself."""
    x = torch.tensor([[1.0, 2, 5], [3, 6, 7], [4, 8, 9]]).view(1, 1, 3, 3)
    assert halve(x)[0, 0].tolist() == [[3, 6], [6, 9]]


def test_halving_undoes_doubling():
    x = torch.randn(2, 3, 3, 5)
    torch.testing.assert_close(halve(double(x)), x)


@pytest.mark.parametrize('size', [(4, 6), (5, 7), (1, 1)])
def test_convolutions_and_means_halve_alike(size):
    x = torch.randn(1, 1, *size)
    assert Downsample(1)(x).shape == halve(x).shape
