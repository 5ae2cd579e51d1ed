"""An autoencoder that shares nothing with the house's encoder and decoder."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import nn

from mmldm.apis.first_stages import take_first_stage
from mmldm.models.autoencoders import Autoencoder
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.stored_config import store_config


class SpaceToDepth(Autoencoder):
    """16 channels of 4 x 4 pixels each, mixed; a scale and a shift."""

    def __init__(self, latent_scale=0.4, latent_shift=0.1):
        super().__init__(16, 4, latent_scale, latent_shift)
        self.mix = nn.Conv2d(48, 16, 1)
        self.unmix = nn.Conv2d(16, 48, 1)

    def encode_raw(self, x, draw_noise):
        return self.mix(nn.functional.pixel_unshuffle(x, 4))

    def decode_raw(self, z):
        return nn.functional.pixel_shuffle(self.unmix(z), 4)


class Bounded(SpaceToDepth):
    """It says what regularises it, and where its last layer is."""

    def encode_for_training(self, x, draw_noise, transform=lambda z: z):
        coding = super().encode_for_training(x, draw_noise, transform)
        z = coding.z + 0.01 * draw_noise(coding.z)
        return coding._replace(z=z, losses=dict(size=z.square().mean()))

    @property
    def last_weight(self):
        return self.unmix.weight


@pytest.fixture(autouse=True)
def registered(register):
    register(SpaceToDepth, Bounded)


@pytest.fixture
def data(labelled):
    samples = [labelled(3, address=(0, i)) for i in range(2)]
    image = torch.arange(3 * 256).view(3, 16, 16) % 256
    return dict(inputs=[image.byte()] * 2, data_samples=samples)


ADVERSARIAL = dict(
    type='AdversarialLoss',
    weight=0.5,
    discriminator=dict(type='PatchDiscriminator', channels=8, num_layers=1),
)


def train(model, data, num_iters=3):
    """What is logged; each part has an optimizer of its own."""
    model.train()
    parts = ('autoencoder', 'adversarial')
    wrappers = {
        part: OptimWrapper(
            torch.optim.SGD(getattr(model, part).parameters(), lr=0.5)
        )
        for part in parts
        if getattr(model, part) is not None
    }
    both = type('Both', (), dict(optim_wrappers=wrappers))
    return [model.train_step(data, both) for _ in range(num_iters)]


def test_the_first_stage_trains_it(data):
    model = MODELS.build(
        dict(type='FirstStage', autoencoder=dict(type='SpaceToDepth'))
    )
    logged = train(model, data)
    assert sorted(logged[0]) == ['loss', 'loss_rec']
    assert logged[-1]['loss_rec'] < logged[0]['loss_rec']
    (sample, _) = model.predict(
        torch.zeros(2, 3, 14, 15), data['data_samples']
    )
    assert sample.pred_img.shape == (3, 14, 15)
    assert sample.latent.shape == (16, 4, 4)


def test_it_trains_with_a_discriminator_and_terms_of_its_own(data):
    config = dict(
        type='FirstStage',
        autoencoder=dict(type='Bounded'),
        adversarial=ADVERSARIAL,
        regularization_weight=0.25,
    )
    logged = train(MODELS.build(config), data, num_iters=1)
    terms = {'loss_rec', 'loss_adversarial', 'loss_size'}
    assert terms <= {*logged[0]}
    assert logged[0]['adaptive_weight'] > 0
    total = sum(logged[0][term] for term in terms)
    torch.testing.assert_close(logged[0]['loss'], total)


def test_a_discriminator_needs_the_last_weight():
    message = 'SpaceToDepth has no last_weight, which model.adversarial needs'
    with pytest.raises(ValueError, match=message):
        MODELS.build(
            dict(
                type='FirstStage',
                autoencoder=dict(type='SpaceToDepth'),
                adversarial=ADVERSARIAL,
            )
        )


@pytest.fixture
def first_stage(data, tmp_path):
    """A file as a training writes it, and the autoencoder."""
    config = dict(type='FirstStage', autoencoder=dict(type='SpaceToDepth'))
    model = MODELS.build(config)
    train(model, data)
    path = str(tmp_path / 'first_stage.pth')
    meta = dict(cfg=store_config(dict(model=config)))
    write_checkpoint(dict(state_dict=model.state_dict(), meta=meta), path)
    return path, model.autoencoder


def test_latent_diffusion_uses_it(ldm_config, first_stage, data, awaken):
    """Its architecture and weights are those of the checkpoint's."""
    path, trained = first_stage
    config = ldm_config(
        autoencoder=dict(_delete_=True),
        autoencoder_checkpoint=path,
        denoiser=dict(in_channels=16, out_channels=16),
        image_size=16,
    )
    take_first_stage(config)
    assert config.autoencoder == dict(type='SpaceToDepth')
    model = MODELS.build(config)
    awaken(model.denoiser)
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    z = model.autoencoder.encode(x)
    raw = trained.encode_raw(x, None)
    torch.testing.assert_close(z, (raw - 0.1) * 0.4)
    torch.testing.assert_close(
        model.autoencoder.decode(z), trained.decode_raw(raw)
    )
    model.train()
    loss = model.loss(x, data['data_samples'])['loss_denoise']
    loss.backward()
    assert model.denoiser.conv_in.weight.grad.any()
    assert model.autoencoder.mix.weight.grad is None
    assert 'autoencoder.mix.weight' not in model.state_dict()
    model.predict(None, data['data_samples'])
    assert data['data_samples'][0].pred_img.shape == (3, 8, 8)


def test_its_channels_are_asked_of_the_denoiser(ldm_config):
    config = ldm_config(autoencoder=dict(_delete_=True, type='SpaceToDepth'))
    with pytest.raises(ValueError, match='set denoiser.in_channels=16'):
        MODELS.build(Config(dict(model=config)).model)
