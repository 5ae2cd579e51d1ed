import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from mmldm.models.autoencoders import DiagonalGaussian, conv_autoencoder
from mmldm.registry import MODELS
from mmldm.utils import SampleRandom


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


def test_attention_at_a_factor_that_is_not_there_is_refused(build):
    message = r'attn_factors=\(4,\): no level has the factor 4, choose'
    with pytest.raises(ValueError, match=message):
        build(attn_factors=(4,))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_latents_and_images_are_float32_under_autocast(build, x, dtype):
    """To float32's precision, not rounded to 8 bits and cast."""
    first_stage = build()
    with torch.autocast('cpu', dtype=dtype):
        z = first_stage.encode(x)
        decoded = first_stage.decode(z)
    for values in (z, decoded):
        assert values.dtype == torch.float32
        assert not torch.equal(values, values.to(dtype).float())


def test_a_training_step_decodes_a_sample_after_its_transform(build, x):
    first_stage = build()
    noise = SampleRandom([(0, i) for i in range(len(x))]).normal('posterior')
    coding = first_stage.encode_for_training(x, noise, lambda z: 2 * z)
    sample = first_stage.posterior(x).sample(noise)
    torch.testing.assert_close(coding.z, 2 * sample)
    kl = first_stage.posterior(x).kl().mean() / x[0].numel()
    torch.testing.assert_close(coding.losses['kl'], kl)


def test_with_a_image_skip_it_starts_as_a_pair_of_resizings(build, x):
    first_stage = build(image_skip=True)
    small = F.avg_pool2d(x, first_stage.factor)
    z = first_stage.encode(x)
    torch.testing.assert_close(z[:, :3], small)
    assert not z[:, 3:].any()
    enlarged = F.interpolate(
        small, scale_factor=first_stage.factor, mode='bicubic'
    )
    torch.testing.assert_close(first_stage.decode(z), enlarged)


def test_the_image_skip_is_added_to_what_the_network_says(build, x, awaken):
    with_it, without = build(image_skip=True), build()
    awaken(with_it)
    without.load_state_dict(with_it.state_dict())
    z = without.encode(x)
    expected = torch.cat(
        [z[:, :3] + F.avg_pool2d(x, with_it.factor), z[:, 3:]], dim=1
    )
    torch.testing.assert_close(with_it.encode(x), expected)
    enlarged = F.interpolate(
        z[:, :3], scale_factor=with_it.factor, mode='bicubic'
    )
    torch.testing.assert_close(with_it.decode(z), without.decode(z) + enlarged)


def test_a_image_skip_needs_three_channels(build):
    with pytest.raises(ValueError, match='latent_channels=2 cannot hold'):
        build(latent_channels=2, image_skip=True)


def test_the_posterior_starts_narrow(build, x):
    """Noise of deviation 1 would drown what is to be learnt."""
    assert (0.5 * build().posterior(x).log_var).exp().mean() < 0.2


def test_large_images_are_tiled_where_no_gradients_are_wanted(
    build, monkeypatch
):
    tiles = []
    real = conv_autoencoder.tiled_forward

    def record(net, x, tile_size):
        tiles.append((net, tile_size))
        return real(net, x, tile_size)

    monkeypatch.setattr(conv_autoencoder, 'tiled_forward', record)
    whole, tiled = build(), build(tile_size=64)
    tiled.load_state_dict(whole.state_dict())
    x = torch.rand(1, 3, 80, 72) * 2 - 1
    with torch.no_grad():
        z = tiled.encode(x)
        torch.testing.assert_close(z, whole.encode(x), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            tiled.decode(z), whole.decode(z), rtol=1e-4, atol=1e-4
        )
    assert tiles == [(tiled.encoder, 64), (tiled.decoder, 64)]
    tiled.encode(x).sum().backward()
    assert len(tiles) == 2


def test_tiles_that_are_mostly_halo_are_refused_at_once(build):
    with pytest.raises(ValueError, match='tile_size=16 makes tiles'):
        build(tile_size=16)


def test_a_grey_autoencoder_shows_the_mean_of_the_colours(tiny_autoencoder):
    colour = MODELS.build(tiny_autoencoder)
    grey = MODELS.build({**tiny_autoencoder, 'type': 'GreyAutoencoderKL'})
    grey.load_state_dict(colour.state_dict())
    z = torch.randn(2, 4, 4, 4)
    expected = colour.decode(z, (8, 8)).mean(1, keepdim=True)
    torch.testing.assert_close(
        grey.decode(z, (8, 8)), expected.expand(-1, 3, -1, -1)
    )
