import math

import pytest
import torch

from mmldm.diffusion import NoiseLevel, add_noise


def level(alpha, sigma):
    alpha, sigma = (
        torch.as_tensor(x, dtype=torch.float64) for x in (alpha, sigma)
    )
    return NoiseLevel(torch.zeros_like(alpha), alpha, sigma)


def test_snr_is_a_ratio_of_variances():
    assert float(level(0.6, 0.2).snr) == pytest.approx(9)
    assert float(level(0.6, 0.2).log_snr) == pytest.approx(math.log(9))


def test_the_clean_level_has_infinite_snr():
    assert level(1.0, 0.0).snr == level(1.0, 0.0).log_snr == math.inf


def test_every_sample_gets_its_own_level():
    z_0, noise = torch.full((2, 3, 1, 1), 2.0), torch.full((2, 3, 1, 1), 10.0)
    z_t = add_noise(z_0, noise, level([1.0, 0.5], [0.0, 0.3]))
    assert z_t[:, 0, 0, 0].tolist() == pytest.approx([2, 4])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
@pytest.mark.parametrize('alpha, sigma', [(0.5, 0.3), ([0.5], [0.3])])
def test_a_level_does_not_promote_a_latent(dtype, alpha, sigma):
    z_0 = torch.ones(1, 3, 2, 2, dtype=dtype)
    assert add_noise(z_0, z_0, level(alpha, sigma)).dtype == dtype
