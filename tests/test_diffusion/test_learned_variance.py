"""The variational bound that trains a second output."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mmldm.diffusion import (
    DiffusionScheduler,
    LearnedVariance,
    LinearBetas,
    RectifiedFlow,
    add_noise,
)
from mmldm.utils import SampleRandom

SHAPE = (3, 4, 2, 2)
BETAS = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)


def scheduler(**options):
    parts = dict(
        noise_schedule=dict(type='LinearBetas', start=1e-4, end=0.02),
        prediction=dict(type='EpsilonPrediction'),
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=dict(type='LeadingGrid'),
        solver=dict(type='DDIM'),
        num_steps=2,
    )
    return DiffusionScheduler(**{**parts, **options})


VARIANCE = dict(variance=dict(type='LearnedVariance'))


@pytest.fixture
def case():
    """Clean latents, noise, levels of which one is the first, an output."""
    z_0, noise = torch.randn(2, *SHAPE)
    level = LinearBetas(1e-4, 0.02)(torch.tensor([1.0, 40.0, 999.0]))
    return z_0, noise, level, torch.rand(3, 8, 2, 2) * 2 - 1


def test_it_is_the_divergence_from_the_posterior(case):
    """Of Ho et al. 2020, eq. 7, by torch's own formula."""
    z_0, noise, level, out = case
    alpha_bar = (1 - BETAS).cumprod(0)
    t = level.t.long()
    beta, now, before = (
        x[:, None, None, None]
        for x in (BETAS[t], alpha_bar[t], alpha_bar[t - 1])
    )
    z_t = add_noise(z_0, noise, level)

    def mean(x):
        return (
            before.sqrt() * beta * x + (1 - beta).sqrt() * (1 - before) * z_t
        ) / (1 - now)

    shortest = beta * (1 - before) / (1 - now)
    share = (out[:, 4:] + 1) / 2
    var = (share * beta.log() + (1 - share) * shortest.log()).exp()
    estimate = (z_t - (1 - now).sqrt() * out[:, :4]) / now.sqrt()
    expected = kl_divergence(
        Normal(mean(z_0), shortest.sqrt().expand(SHAPE)),
        Normal(mean(estimate), var.sqrt()),
    )
    expected = expected.flatten(1).mean(1) / math.log(2)
    simple, bound = scheduler(**VARIANCE).error_terms(out, z_0, noise, level)
    torch.testing.assert_close(bound.double(), expected, rtol=1e-3, atol=1e-5)
    plain = scheduler().errors(out[:, :4], z_0, noise, level)
    assert torch.equal(simple, plain)


def test_a_weight_multiplies_it(case):
    z_0, noise, level, out = case
    bounds = [
        scheduler(
            variance=dict(type='LearnedVariance', weight=weight)
        ).error_terms(out, z_0, noise, level)[1]
        for weight in (1.0, 3.0)
    ]
    torch.testing.assert_close(3 * bounds[0], bounds[1])


def test_the_prediction_gets_no_gradient_of_it(case):
    z_0, noise, level, out = case
    out.requires_grad_()
    process = scheduler(**VARIANCE)
    process.error_terms(out, z_0, noise, level)[1].sum().backward()
    assert not out.grad[:, :4].any()
    assert out.grad[:, 4:].all()


def test_the_first_time_counts_as_the_second(case):
    z_0, noise, level, out = case
    errors = [
        LearnedVariance().loss(
            out, z_0, LinearBetas()(torch.full((3,), t)), LinearBetas()
        )
        for t in (0.0, 1.0)
    ]
    assert torch.equal(*errors)


def test_sampling_takes_the_first_half(case):
    z_0, noise, level, out = case
    z_t = add_noise(z_0, noise, level)
    found = scheduler(**VARIANCE).to_z_0(out, z_t, level)
    assert torch.equal(found, scheduler().to_z_0(out[:, :4], z_t, level))


def test_training_levels_have_a_finite_bound():
    process = scheduler(**VARIANCE)
    random = SampleRandom([(0, i) for i in range(200)])
    level = process.sample_level(random)
    z_0 = torch.randn(200, 1, 2, 2)
    noise = process.draw_noise(random, z_0)
    out = torch.cat([noise, -torch.ones_like(noise)], dim=1)
    # The best of all: the noise itself, and the posterior's variance.
    assert process.errors(out, z_0, noise, level).abs().max() < 1e-3


def test_time_without_steps_is_refused():
    message = 'variance=LearnedVariance needs .* RectifiedFlow: set noise_'
    with pytest.raises(ValueError, match=message):
        scheduler(
            noise_schedule=dict(type='RectifiedFlow'),
            prediction=dict(type='FlowPrediction'),
            **VARIANCE,
        )
    with pytest.raises(ValueError, match=message):
        LearnedVariance.check(RectifiedFlow())


def test_a_weight_is_positive():
    with pytest.raises(ValueError, match='LearnedVariance.weight'):
        LearnedVariance(weight=0.0)
