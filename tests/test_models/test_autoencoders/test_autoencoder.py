import pytest
import torch
from torch import nn

from mmldm.models.autoencoders import Autoencoder


class Halving(Autoencoder):
    """A first stage without weights: means of 2 x 2 pixels, and back."""

    def __init__(self, latent_scale=1.0, latent_shift=0.0):
        super().__init__(3, 2, latent_scale, latent_shift)

    def encode_raw(self, x, draw_noise):
        return nn.functional.avg_pool2d(x, 2)

    def decode_raw(self, z):
        return nn.functional.interpolate(z, scale_factor=2)


@pytest.fixture
def x():
    return (
        torch.randn(2, 3, 4, 6).repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


BY_CHANNEL = [0.5, 1.0, 2.0]


@pytest.mark.parametrize('shift', [0.0, 0.7, [-1.0, 0.0, 0.5]])
@pytest.mark.parametrize('scale', [0.18215, 1.0, 5.0, BY_CHANNEL])
def test_scale_and_shift_cancel_in_a_reconstruction(x, scale, shift):
    first_stage = Halving(scale, shift)
    torch.testing.assert_close(first_stage.decode(first_stage.encode(x)), x)


def test_latents_are_scaled(x):
    torch.testing.assert_close(
        Halving(0.5).encode(x), 0.5 * Halving().encode(x)
    )


def test_channels_are_shifted_then_scaled(x):
    latents = Halving(BY_CHANNEL, [1.0, 0.0, -1.0]).encode(x)
    raw = Halving().encode(x)
    expected = [(raw[:, 0] - 1) * 0.5, raw[:, 1], (raw[:, 2] + 1) * 2]
    torch.testing.assert_close(latents, torch.stack(expected, 1))


def test_scale_and_shift_travel_with_the_weights(x):
    target = Halving()
    target.load_state_dict(Halving(BY_CHANNEL, 0.25).state_dict())
    assert target.latent_scale.flatten().tolist() == BY_CHANNEL
    assert target.latent_shift.flatten().tolist() == [0.25] * 3


@pytest.mark.parametrize('name', ['latent_scale', 'latent_shift'])
def test_other_numbers_of_values_than_channels_are_refused(name):
    with pytest.raises(ValueError, match=f'{name} has 2 values for 3 latent'):
        Halving(**{name: [1.0, 2.0]})


@pytest.mark.parametrize('size', [(5, 4), (4, 5), (7, 1)])
def test_any_size_is_padded_by_its_last_row_and_column(x, size):
    x = torch.randn(2, 3, *size)
    height, width = (side + side % 2 for side in size)
    rows = torch.arange(height).clamp(max=size[0] - 1)
    columns = torch.arange(width).clamp(max=size[1] - 1)
    whole = x[:, :, rows][..., columns]
    z = Halving().encode(x)
    torch.testing.assert_close(z, Halving().encode(whole))
    decoded = Halving().decode(z, size)
    assert decoded.shape == x.shape
    expected = Halving().decode(z)[..., : size[0], : size[1]]
    torch.testing.assert_close(decoded, expected)


@pytest.mark.parametrize('latent_scale', [0, -1.0])
def test_the_scale_must_be_positive(latent_scale):
    with pytest.raises(ValueError, match='latent_scale=.* must be positive'):
        Halving(latent_scale)
