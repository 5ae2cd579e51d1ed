import pytest
import torch

from mmldm.engine import latent_moments as module
from mmldm.engine.latent_moments import latent_moments, set_scale
from mmldm.models.autoencoders import IdentityAutoencoder
from mmldm.utils import SampleRandom
from mmldm.utils.moments import sample_moments


def encoded(runner, indices):
    """Raw posterior samples of these draws, one image at a time."""
    for index in indices:
        item = runner.train_dataloader.dataset[index]
        samples = [item['data_samples']]
        batch = runner.model.data_preprocessor(
            dict(inputs=[item['inputs']], data_samples=samples)
        )
        yield runner.model.autoencoder.encode_raw(
            batch['inputs'], SampleRandom.of(samples).normal('posterior')
        )


@pytest.mark.parametrize('batch_size', [2, 3, 8])
def test_raw_samples_of_the_posterior_are_measured(build_runner, batch_size):
    """With the noise that each draw's address gives, whatever the batch."""
    runner = build_runner()
    runner.model.autoencoder.latent_scale.fill_(3)
    indices = runner.train_dataloader.sampler.spread(8)
    with torch.no_grad():
        z = torch.cat(list(encoded(runner, indices)))
    torch.testing.assert_close(
        latent_moments(runner, 8, batch_size),
        sample_moments(z),
        rtol=1e-4,
        atol=1e-5,
    )


def test_images_that_the_factor_does_not_divide_are_padded(build_runner):
    runner = build_runner(train_dataloader__dataset__size=7)
    moments = latent_moments(runner, 2, 2)
    assert moments[:, :, 0].unique().tolist() == [4 * 4]


@pytest.mark.parametrize('num_images', [9, 1])
def test_processes_share_the_batches(build_runner, monkeypatch, num_images):
    """Three have 2, 2 and 1, or 1, 0 and 0; all see what one sees."""
    runner = build_runner()
    alone = latent_moments(runner, num_images, 2)
    shares = []

    class Gathered(Exception):
        pass

    def gather(share):
        shares.append(share)
        raise Gathered

    def process(rank):
        monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, 3))
        return latent_moments(runner, num_images, 2)

    monkeypatch.setattr(module, 'all_gather_object', gather)
    for rank in range(3):
        with pytest.raises(Gathered):
            process(rank)
    monkeypatch.setattr(module, 'all_gather_object', lambda share: shares)
    for rank in range(3):
        assert torch.equal(process(rank), alone)
    assert sum(map(len, shares)) == -(-num_images // 2)


@pytest.fixture
def z():
    """Raw latents whose channels differ."""
    std = torch.tensor([1.0, 2, 5])[:, None, None]
    mean = torch.tensor([0.0, -1, 3])[:, None, None]
    return torch.randn(6, 3, 8, 8) * std + mean


def test_one_scale_makes_the_deviation_of_all_channels_1(z):
    autoencoder = IdentityAutoencoder()
    set_scale(autoencoder, sample_moments(z), per_channel=False)
    scaled = autoencoder.encode(z)
    assert scaled.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    assert len(autoencoder.latent_scale.unique()) == 1
    assert not autoencoder.latent_shift.any()


def test_a_scale_and_a_shift_a_channel_whiten_each(z):
    autoencoder = IdentityAutoencoder()
    set_scale(autoencoder, sample_moments(z), per_channel=True)
    scaled = autoencoder.encode(z)
    for channel in range(3):
        values = scaled[:, channel]
        assert values.mean().item() == pytest.approx(0, abs=1e-5)
        assert values.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    torch.testing.assert_close(autoencoder.decode(scaled), z)


@pytest.mark.parametrize('value', [1.0, float('nan'), float('inf')])
def test_a_channel_that_has_no_scale_is_refused(z, value):
    z[:, 1] = value
    with pytest.raises(ValueError, match='in channel 1, expected one above 0'):
        set_scale(IdentityAutoencoder(), sample_moments(z), per_channel=True)


def test_latents_that_have_no_scale_are_refused(z):
    moments = sample_moments(torch.ones_like(z))
    with pytest.raises(ValueError, match='deviation of 0.0 in all channels'):
        set_scale(IdentityAutoencoder(), moments, per_channel=False)
