import pytest
import torch
from torch.special import ndtr

from mmldm.diffusion import (
    LogitNormalTimesteps,
    NormalTimesteps,
    UniformTimesteps,
    VarianceExploding,
)

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


@pytest.mark.parametrize('mean, std', [(0.5, 0.2), (0.2, 0.4), (1.1, 0.3)])
def test_normal_times_have_the_truncated_distribution_function(mean, std):
    x = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)

    def below(x):
        return ndtr((torch.as_tensor(x) - mean) / std)

    zero, one = (torch.tensor(end, dtype=torch.float64) for end in (0.0, 1.0))
    probability = (below(x) - below(zero)) / (below(one) - below(zero))
    torch.testing.assert_close(NormalTimesteps(mean, std)(probability), x)


def test_normal_times_on_variance_exploding_are_edms():
    """log sigma ~ N(-1.2, 1.2^2); Karras et al. 2022, table 1.

    The ends of the schedule cut off 2e-5 of it.
    """
    schedule = VarianceExploding()
    log_sigma = schedule(schedule.timestep(NormalTimesteps()(UNIFORM))).sigma
    log_sigma = log_sigma.log()
    x = torch.linspace(-5, 3, 17, dtype=torch.float64)
    share = (log_sigma <= x[:, None]).double().mean(1)
    torch.testing.assert_close(share, ndtr((x + 1.2) / 1.2), rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    'sampler',
    [
        UniformTimesteps(),
        LogitNormalTimesteps(),
        LogitNormalTimesteps(mean=50.0),
        NormalTimesteps(std=0.4),
    ],
)
def test_the_extremes_are_fractions(sampler):
    extremes = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    first, last = sampler(extremes)
    assert first == 0 and 0.99 < last < 1


@pytest.mark.parametrize('sampler', [LogitNormalTimesteps, NormalTimesteps])
@pytest.mark.parametrize('std', [0, -1])
def test_the_width_must_be_positive(sampler, std):
    with pytest.raises(ValueError, match=f'std={std} must be positive'):
        sampler(std=std)


@pytest.mark.parametrize('mean', [-1.2, 3])
def test_a_density_outside_the_time_axis_is_refused(mean):
    """-1.2 is EDM's mean of log sigma, not of the time axis."""
    with pytest.raises(ValueError, match=f'mean={mean} must be in .*P_mean'):
        NormalTimesteps(mean, std=0.2)


@pytest.mark.parametrize(
    'sampler', [UniformTimesteps, LogitNormalTimesteps, NormalTimesteps]
)
def test_stratified_is_kept(sampler):
    assert sampler(stratified=True).stratified is True
    assert sampler().stratified is False
