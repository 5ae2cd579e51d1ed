import pytest
import torch
from scipy.fft import dctn
from sklearn.datasets import load_sample_image

from mmldm.models.autoencoders.skips import BlockSkip, block_basis
from mmldm.registry import MODELS

KL = dict(
    type='AutoencoderKL',
    latent_channels=8,
    channels=8,
    channel_mults=(1, 2, 4),
    num_res_blocks=1,
    mid_attention=False,
    norm_groups=4,
    block_skip=True,
)


@pytest.fixture(scope='module')
def photograph():
    """A photograph in [-1, 1], (1, 3, 424, 640)."""
    pixels = torch.from_numpy(load_sample_image('flower.jpg').copy())
    return pixels[:424].permute(2, 0, 1)[None] / 127.5 - 1


@pytest.mark.parametrize('factor', [2, 4])
def test_all_waves_lose_nothing(factor):
    skip = BlockSkip(3 * factor**2, factor)
    x = torch.rand(2, 3, 4 * factor, 3 * factor)
    torch.testing.assert_close(skip.decode(skip.encode(x)), x)


def test_the_waves_are_those_of_the_cosine_transform():
    basis, _ = block_basis(48, 4)
    rows = basis.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(48))
    for wave in basis:
        # One frequency each, the same in the three colours.
        spectrum = torch.from_numpy(
            dctn(wave.numpy(), axes=(1, 2), norm='ortho')
        )
        assert (spectrum.abs().amax(0) > 1e-5).sum() == 1


def test_means_come_first_and_then_brightness_by_frequency():
    basis, _ = block_basis(8, 4)
    grey = basis.mean(1, keepdim=True).expand_as(basis)
    torch.testing.assert_close(basis[3:], grey[3:])
    blocks = basis.flatten(2)
    torch.testing.assert_close(
        blocks[:3], blocks[:3, :, :1].expand(-1, -1, 16)
    )
    steps = [
        wave.diff(dim=1).square().sum() + wave.diff(dim=2).square().sum()
        for wave in basis
    ]
    assert torch.stack(steps[3:]).diff().min() > -1e-5


def test_channels_of_a_photograph_have_similar_deviations(photograph):
    deviations = BlockSkip(8, 4).encode(photograph).std((0, 2, 3))
    assert deviations.max() < 6 * deviations.min()


def test_a_first_stage_starts_as_the_transform_alone(photograph):
    model = MODELS.build(KL).eval()
    skip = model.skip
    with torch.no_grad():
        z = model.encode(photograph)
        torch.testing.assert_close(z, skip.encode(photograph))
        torch.testing.assert_close(model.decode(z), skip.decode(z))


def test_the_transform_is_added_to_what_the_network_says(photograph, awaken):
    x = photograph[..., :32, :32]
    with_it, without = (
        MODELS.build(KL | dict(block_skip=skip)) for skip in (True, False)
    )
    awaken(with_it)
    without.load_state_dict(with_it.state_dict(), strict=False)
    with torch.no_grad():
        z = without.encode(x)
        added = with_it.skip.encode(x)
        torch.testing.assert_close(with_it.encode(x), z + added)
        added = with_it.skip.decode(z)
        torch.testing.assert_close(
            with_it.decode(z), without.decode(z) + added
        )


def test_both_directions_are_trained(photograph):
    model = MODELS.build(KL)
    model.decode_for_training(
        model.encode_moments(photograph[..., :32, :32])[:, :8]
    ).square().sum().backward()
    for weight in model.skip.parameters():
        assert weight.grad.any()


@pytest.mark.parametrize('channels', [2, 49])
def test_waves_that_do_not_exist_are_refused(channels):
    with pytest.raises(ValueError, match=f'latent_channels={channels} .*48'):
        MODELS.build(KL | dict(latent_channels=channels))


@pytest.mark.parametrize('other', ['image_skip', 'starts_as_resizing'])
def test_another_way_for_colours_is_refused(other):
    with pytest.raises(ValueError, match=f'block_skip=True .*{other}'):
        MODELS.build(KL | {other: True, 'channels': 32})
