import pytest
import torch
from torch.special import ndtr

from mmldm.diffusion import LogitNormalTimesteps, UniformTimesteps

# Midpoints: the mean over them is an integral over the unit interval.
UNIFORM = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000


def test_uniform_times_are_the_uniform_numbers():
    assert torch.equal(UniformTimesteps()(UNIFORM), UNIFORM)


@pytest.mark.parametrize('mean, std', [(0.0, 1.0), (-0.5, 0.6), (1.0, 2.0)])
def test_logit_normal_times_have_its_distribution_function(mean, std):
    """P(fraction <= x) = Phi((logit(x) - mean) / std)."""
    x = torch.linspace(0.05, 0.95, 91, dtype=torch.float64)
    probability = ndtr((x.logit() - mean) / std)
    sampler = LogitNormalTimesteps(mean, std)
    torch.testing.assert_close(sampler(probability), x)


@pytest.mark.parametrize('mean, std', [(0.0, 1.0), (-0.5, 0.6), (1.0, 2.0)])
def test_logits_have_the_mean_and_the_width(mean, std):
    logit = LogitNormalTimesteps(mean, std)(UNIFORM).logit()
    assert float(logit.mean()) == pytest.approx(mean, abs=1e-6)
    assert float(logit.std()) == pytest.approx(std, rel=1e-3)


def test_the_extremes_are_fractions():
    extremes = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    first, last = LogitNormalTimesteps()(extremes)
    assert first == 0 and 0.99 < last < 1


@pytest.mark.parametrize('std', [0, -1])
def test_the_width_must_be_positive(std):
    with pytest.raises(ValueError, match=f'std={std} must be positive'):
        LogitNormalTimesteps(std=std)
