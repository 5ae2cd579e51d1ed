import pytest
import torch

from mmldm.evaluation import ReconstructionMetrics
from mmldm.evaluation.noise_tolerance import noise_tolerance
from mmldm.registry import MODELS


@pytest.fixture
def model():
    """A first stage whose latents are its images, of any scale."""
    return MODELS.build(
        dict(
            type='FirstStage',
            autoencoder=dict(type='IdentityAutoencoder', latent_scale=3.0),
        )
    ).eval()


def test_noise_of_identical_latents_is_that_of_pixels(model, labelled):
    """Deviations of each channel; noise of 0.1 is 20 dB below them."""
    torch.manual_seed(0)
    contrast = torch.tensor([10.0, 20, 30]).view(3, 1, 1)
    images = 128 + contrast * torch.randn(8, 3, 32, 32)
    images = images.clamp(0, 255).round().byte()
    batches = [
        dict(inputs=[*part], data_samples=[labelled(0) for _ in part])
        for part in images.split(3)
    ]
    rows = noise_tolerance(
        model, batches, [0.0, 0.1, 0.2], [ReconstructionMetrics()]
    )
    found = [row['recon/psnr'] for row in rows]
    assert found[0] == 100
    variance = images.double().var((0, 2, 3)).mean()
    for noise, value in zip((0.1, 0.2), found[1:], strict=True):
        # Pixels are rounded: a variance of 1 / 12 more.
        error = noise**2 * variance + 1 / 12
        expected = 10 * torch.log10(255**2 / error)
        assert value == pytest.approx(expected.item(), abs=0.05)
