import pytest
import torch
from torch import nn

from mmldm.models.autoencoders import Autoencoder


class Halving(Autoencoder):
    """A first stage without weights: means of 2 x 2 pixels, and back."""

    def __init__(self, latent_scale=1.0):
        super().__init__(3, 2, latent_scale)

    def encode_raw(self, x, draw_noise):
        return nn.functional.avg_pool2d(x, 2)

    def decode_raw(self, z):
        return nn.functional.interpolate(z, scale_factor=2)


@pytest.fixture
def x():
    return (
        torch.randn(2, 3, 4, 6).repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


@pytest.mark.parametrize('latent_scale', [0.18215, 1.0, 5.0])
def test_the_scale_cancels_in_a_reconstruction(x, latent_scale):
    first_stage = Halving(latent_scale)
    torch.testing.assert_close(first_stage.decode(first_stage.encode(x)), x)


def test_latents_are_scaled(x):
    torch.testing.assert_close(
        Halving(0.5).encode(x), 0.5 * Halving().encode(x)
    )


def test_the_scale_travels_with_the_weights(x):
    target = Halving()
    target.load_state_dict(Halving(0.5).state_dict())
    assert target.latent_scale == 0.5


@pytest.mark.parametrize(
    'size, remedy',
    [
        ((5, 4), 'image height=5 .*set image height to 4 or 6'),
        ((4, 5), 'image width=5 .*set image width to 4 or 6'),
    ],
)
def test_a_size_that_does_not_fit_is_refused(size, remedy):
    with pytest.raises(ValueError, match=remedy):
        Halving().encode(torch.zeros(1, 3, *size))


@pytest.mark.parametrize('latent_scale', [0, -1.0])
def test_the_scale_must_be_positive(latent_scale):
    with pytest.raises(ValueError, match='latent_scale=.* must be positive'):
        Halving(latent_scale)
