import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mmldm.models.autoencoders import DiagonalGaussian
from mmldm.registry import MODELS


@pytest.fixture
def moments():
    return torch.randn(3, 2 * 4, 2, 2)


def test_kl_is_that_from_the_standard_normal(moments):
    mean, log_var = moments.chunk(2, dim=1)
    posterior = Normal(mean, (log_var / 2).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum((1, 2, 3))
    torch.testing.assert_close(DiagonalGaussian(moments).kl(), expected)


def test_kl_of_the_standard_normal_is_zero():
    assert DiagonalGaussian(torch.zeros(1, 8, 2, 2)).kl() == 0


def test_a_sample_is_mean_and_deviation(moments):
    noise = torch.randn(3, 4, 2, 2)
    mean, log_var = moments.chunk(2, dim=1)
    sample = DiagonalGaussian(moments).sample(lambda like: noise)
    torch.testing.assert_close(sample, mean + log_var.exp().sqrt() * noise)


@pytest.mark.parametrize('log_var', [-1e4, 1e4])
def test_an_extreme_variance_stays_finite(log_var):
    posterior = DiagonalGaussian(torch.full((1, 2, 1, 1), log_var))
    assert posterior.kl().isfinite()
    assert posterior.sample(torch.ones_like).isfinite().all()


@pytest.fixture
def build(tiny_autoencoder):
    return lambda **overrides: MODELS.build({**tiny_autoencoder, **overrides})


@pytest.fixture
def x():
    return torch.rand(2, 3, 8, 8) * 2 - 1


def test_without_noise_the_latent_is_the_mean(build, x):
    first_stage = build(latent_scale=0.5)
    mean = first_stage.posterior(x).mean
    torch.testing.assert_close(first_stage.encode(x), 0.5 * mean)
    torch.testing.assert_close(
        first_stage.encode(x, torch.zeros_like), 0.5 * mean
    )


def test_with_noise_the_latent_is_a_sample(build, x):
    first_stage = build(latent_scale=0.5)
    sample = first_stage.posterior(x).sample(torch.ones_like)
    torch.testing.assert_close(
        first_stage.encode(x, torch.ones_like), 0.5 * sample
    )


@pytest.mark.parametrize('latent_scale', [0.18215, 5.0])
def test_a_reconstruction_does_not_know_the_scale(build, x, latent_scale):
    first_stage, scaled = build(), build(latent_scale=latent_scale)
    weights = {**first_stage.state_dict(), 'latent_scale': scaled.latent_scale}
    scaled.load_state_dict(weights)
    torch.testing.assert_close(
        scaled.decode(scaled.encode(x)),
        first_stage.decode(first_stage.encode(x)),
    )


@pytest.mark.parametrize('channel_mults', [(1,), (1, 2), (1, 2, 1)])
def test_the_factor_is_that_of_encoder_and_decoder(build, x, channel_mults):
    first_stage = build(channel_mults=channel_mults)
    z = first_stage.encode(x)
    assert z.shape == (2, 4, 8 // first_stage.factor, 8 // first_stage.factor)
    assert first_stage.decode(z).shape == x.shape


def test_the_mean_comes_before_the_log_variance(build, x):
    first_stage = build()
    first_stage.quant_conv.bias.data[4:] += 1
    posterior = first_stage.posterior(x)
    first_stage.quant_conv.bias.data[4:] -= 1
    before = first_stage.posterior(x)
    torch.testing.assert_close(posterior.mean, before.mean)
    torch.testing.assert_close(posterior.log_var, before.log_var + 1)
