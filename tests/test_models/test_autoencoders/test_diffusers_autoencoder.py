"""What diffusers computes, with our scale and shift around it."""

import json

import diffusers
import pytest
import torch

from mmldm.models.autoencoders.diffusers_scale import scale_and_shift
from mmldm.registry import MODELS

KL_BLOCKS = dict(
    block_out_channels=(32, 32),
    down_block_types=('DownEncoderBlock2D',) * 2,
    up_block_types=('UpDecoderBlock2D',) * 2,
)
# Of 32 pixels a position, as all but the largest published ones.
DC = dict(
    latent_channels=8,
    encoder_block_types=('ResBlock',) * 4 + ('EfficientViTBlock',) * 2,
    decoder_block_types=('ResBlock',) * 4 + ('EfficientViTBlock',) * 2,
    encoder_block_out_channels=(8, 8, 8, 8, 16, 16),
    decoder_block_out_channels=(8, 8, 8, 8, 16, 16),
    encoder_layers_per_block=(0, 1, 1, 1, 1, 1),
    decoder_layers_per_block=(1,) * 6,
    encoder_qkv_multiscales=((), (), (), (), (5,), (5,)),
    decoder_qkv_multiscales=((), (), (), (), (5,), (5,)),
    attention_head_dim=8,
    scaling_factor=0.41407,
)
ASYMMETRIC = dict(
    down_block_out_channels=(32, 32),
    down_block_types=('DownEncoderBlock2D',) * 2,
    up_block_out_channels=(32, 64),
    up_block_types=('UpDecoderBlock2D',) * 2,
)
TINY = dict(
    encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4
)
# Class, arguments, channels of latents, pixels a position.
NETWORKS = [
    ('AutoencoderDC', DC, 8, 32),
    ('AutoencoderTiny', TINY, 4, 8),
    ('AsymmetricAutoencoderKL', ASYMMETRIC, 4, 2),
    ('AutoencoderKL', KL_BLOCKS | dict(shift_factor=0.5), 4, 2),
    ('VQModel', KL_BLOCKS, 3, 2),
]
# Of videos, and of images as videos of one frame.
VIDEO = dict(
    base_dim=8,
    z_dim=2,
    dim_mult=[1, 2],
    num_res_blocks=1,
    temperal_downsample=[True],
    latents_mean=[0.5, -1.0],
    latents_std=[2.0, 4.0],
)


@pytest.fixture
def saved(tmp_path):
    """Saves a network of random weights; it and its folder."""

    def saved(name, options):
        network = getattr(diffusers, name)(**options).eval()
        network.save_pretrained(tmp_path / name)
        return network, str(tmp_path / name)

    return saved


def built(folder, **options):
    config = dict(type='DiffusersAutoencoder', pretrained=folder, **options)
    return MODELS.build(config).eval()


@pytest.mark.parametrize('name, options, channels, factor', NETWORKS)
@torch.no_grad()
def test_latents_and_images_are_those_of_the_library(
    saved, name, options, channels, factor
):
    network, folder = saved(name, options)
    ours = built(folder)
    assert (ours.latent_channels, ours.factor) == (channels, factor)
    x = torch.rand(2, 3, 64, 32) * 2 - 1
    found = network.encode(x)
    if hasattr(found, 'latent_dist'):
        raw = found.latent_dist.mode()
    else:
        raw = found[0]
    shift = getattr(network.config, 'shift_factor', None) or 0
    z = (raw - shift) * network.config.scaling_factor
    torch.testing.assert_close(ours.encode(x), z)
    image = network.decode(raw).sample
    near = dict(rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.decode(z), image, **near)


@torch.no_grad()
def test_an_image_is_a_video_of_one_frame(saved):
    network, folder = saved('AutoencoderKLQwenImage', VIDEO)
    ours = built(folder)
    assert (ours.latent_channels, ours.factor) == (2, 2)
    x = torch.rand(2, 3, 16, 8) * 2 - 1
    raw = network.encode(x[:, :, None]).latent_dist.mode()
    mean, std = (
        torch.tensor(VIDEO[key])[:, None, None]
        for key in ('latents_mean', 'latents_std')
    )
    z = (raw[:, :, 0] - mean) / std
    near = dict(rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.encode(x), z, **near)
    image = network.decode(raw).sample[:, :, 0]
    torch.testing.assert_close(ours.decode(z), image, **near)


@torch.no_grad()
def test_a_posterior_is_sampled(saved):
    network, folder = saved('AutoencoderKL', KL_BLOCKS)
    x = torch.rand(1, 3, 8, 8)
    posterior = network.encode(x).latent_dist
    ours = built(folder, latent_scale=1.0)
    z = ours.encode(x, torch.ones_like)
    torch.testing.assert_close(z, posterior.mean + posterior.std)
    # As from a cache of latents.
    cached = ours.latents_of(ours.encode_moments(x), torch.ones_like)
    assert torch.equal(cached, z)


def test_a_scale_that_is_given_counts(saved):
    _, folder = saved('AutoencoderTiny', TINY)
    ours = built(folder, latent_scale=[1, 2, 3, 4], latent_shift=5)
    assert ours.latent_scale.flatten().tolist() == [1, 2, 3, 4]
    assert ours.latent_shift.flatten().tolist() == [5] * 4


def test_checkpoints_hold_the_hash_of_the_folder(saved, tmp_path):
    _, folder = saved('AutoencoderTiny', TINY)
    state = built(folder).state_dict()
    assert state.keys() == {'latent_scale', 'latent_shift', 'network_hash'}
    built(folder).load_state_dict(state)
    _, other = saved('AutoencoderTiny', TINY)  # at the same place
    with pytest.raises(ValueError, match='other weights than .*pretrained='):
        built(other).load_state_dict(state)


def test_what_is_included_needs_no_folder(saved):
    network, folder = saved('AutoencoderTiny', TINY)
    ours = built(folder)
    config = ours.include_network()
    alone = MODELS.build(config)
    alone.load_state_dict(ours.state_dict())
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(alone.encode(x), ours.encode(x))
    assert not any(w.requires_grad for w in alone.parameters())
    assert not alone.train().network.training


def test_a_trial_without_memory_reads_no_weights(saved):
    _, folder = saved('AutoencoderDC', DC)
    with torch.device('meta'):
        ours = built(folder)
    assert next(ours.network.parameters()).is_meta
    assert ours.factor == 32


def test_training_it_is_refused(saved):
    _, folder = saved('AutoencoderTiny', TINY)
    with pytest.raises(ValueError, match='frozen .*diffusers_to_mmldm.py'):
        built(folder).encode_for_training(torch.rand(1, 3, 8, 8), None)


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(_class_name='UNet2DModel'), "'UNet2DModel', which is no autoe"),
        (dict(_class_name='os'), "_class_name='os', which is no autoencoder"),
        (dict(), '_class_name=None, which is no autoencoder of diffusers'),
        (
            dict(_class_name='AutoencoderKL', act_fn='magic'),
            'does not describe a AutoencoderKL .*config.json',
        ),
        (
            dict(_class_name='AutoencoderKL', in_channels=1),
            'AutoencoderKL cannot encode and decode an image .* RGB images',
        ),
        (
            dict(_class_name='AutoencoderTiny', latents_mean=[1]),
            'latents_mean=.1. with latents_std=None',
        ),
    ],
)
def test_what_is_no_autoencoder_of_images_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='DiffusersAutoencoder', config=config))


def test_a_folder_is_needed(tmp_path):
    with pytest.raises(ValueError, match='pretrained=None: give one of them'):
        MODELS.build(dict(type='DiffusersAutoencoder'))
    with pytest.raises(ValueError, match='neither a folder with an autoenco'):
        built(str(tmp_path))


def test_missing_weights_are_named(saved, tmp_path):
    _, folder = saved('AutoencoderTiny', TINY)
    path = tmp_path / 'AutoencoderTiny/config.json'
    content = json.loads(path.read_text()) | dict(num_decoder_blocks=[4] * 4)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'lacks \d+ weights of Autoen'):
        built(folder)


def test_the_scale_of_pipelines():
    assert scale_and_shift({}) == (1.0, 0.0)
    keys = dict(scaling_factor=0.5, latents_mean=[1, 2], latents_std=[2, 4])
    assert scale_and_shift(keys) == ((0.25, 0.125), (1, 2))
