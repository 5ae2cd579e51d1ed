"""The same numbers from the first stages of diffusers."""

import json

import diffusers
import pytest
import torch

from mmldm.converters.diffusers.first_stage import (
    FIRST_STAGE_KEYS,
    first_stage_from_diffusers_config,
    first_stage_to_diffusers_config,
)
from mmldm.converters.diffusers.latent_scale import latent_scale
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import load_weights

KL = dict(
    type='AutoencoderKL',
    latent_channels=4,
    channels=32,
    channel_mults=(1, 2, 2),
    num_res_blocks=1,
    attn_factors=(2, 4),
)
VQ = KL | dict(
    type='AutoencoderVQ', latent_channels=3, quantizer=dict(num_codes=16)
)
X = torch.linspace(-1, 1, 2 * 3 * 8 * 16).view(2, 3, 8, 16)
# What was in a file of 2022, without what diffusers has added since.
CELEBAHQ = dict(
    _class_name='VQModel',
    _diffusers_version='0.1.2',
    act_fn='silu',
    block_out_channels=[128, 256, 512],
    down_block_types=['DownEncoderBlock2D'] * 3,
    in_channels=3,
    latent_channels=3,
    layers_per_block=2,
    num_vq_embeddings=8192,
    out_channels=3,
    sample_size=256,
    up_block_types=['UpDecoderBlock2D'] * 3,
)


def build_theirs(arguments):
    arguments = dict(arguments)
    kind = getattr(diffusers, arguments.pop('_class_name'))
    return kind(**arguments).eval()


def assert_same(ours, theirs):
    """Latents, before and after quantisation, and images."""
    z = theirs.encode(X)
    z = z.latents if hasattr(z, 'latents') else z.latent_dist.mode()
    scale = theirs.config.scaling_factor
    near = dict(rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.encode(X), scale * z, **near)
    image = theirs.decode(z).sample
    torch.testing.assert_close(ours.decode(scale * z), image, **near)


@pytest.mark.parametrize(
    'config',
    [
        KL,
        KL | dict(num_res_blocks=2, attn_factors=(), latent_scale=0.18215),
        KL | dict(mid_attention=False, norm_groups=8),
        VQ,
        VQ | dict(attn_factors=(1,), z_channels=5),
        VQ | dict(channel_mults=(1,), attn_factors=()),
    ],
)
@torch.no_grad()
def test_a_model_of_ours_computes_the_same_there(config):
    ours = MODELS.build(config).eval()
    weights = ours.state_dict()
    theirs = build_theirs(
        first_stage_to_diffusers_config(config, latent_scale(weights))
    )
    theirs.load_state_dict(FIRST_STAGE_KEYS.write(weights, config))
    assert_same(ours, theirs)


THEIRS = dict(
    block_out_channels=(32, 64),
    down_block_types=('DownEncoderBlock2D', 'AttnDownEncoderBlock2D'),
    up_block_types=('AttnUpDecoderBlock2D', 'UpDecoderBlock2D'),
    norm_num_groups=16,
    sample_size=8,
)


@pytest.mark.parametrize(
    'name, options',
    [
        ('AutoencoderKL', dict(latent_channels=6, layers_per_block=2)),
        ('AutoencoderKL', dict(scaling_factor=0.5, shift_factor=None)),
        ('AutoencoderKL', dict(mid_block_add_attention=False)),
        ('VQModel', dict(vq_embed_dim=5, num_vq_embeddings=7)),
        ('VQModel', dict(scaling_factor=1.0)),
    ],
)
@torch.no_grad()
def test_a_model_of_theirs_computes_the_same_here(name, options, tmp_path):
    theirs = getattr(diffusers, name)(**THEIRS, **options).eval()
    theirs.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / 'config.json').read_text())
    config = first_stage_from_diffusers_config(saved)
    ours = MODELS.build(config).eval()
    weights = FIRST_STAGE_KEYS.read(theirs.state_dict(), config)
    load_weights(ours, weights, 'theirs')
    assert_same(ours, theirs)
    assert_back(weights, config, theirs, saved)


def assert_back(weights, config, theirs, saved):
    """What it is made into there is what it was."""
    back = FIRST_STAGE_KEYS.write(weights, config)
    assert back.keys() == theirs.state_dict().keys()
    for key, weight in theirs.state_dict().items():
        assert torch.equal(back[key], weight), key
    arguments = first_stage_to_diffusers_config(
        config, latent_scale(weights), saved['sample_size']
    )
    found = build_theirs(arguments).config
    unsaid = {'_class_name', '_diffusers_version', 'vq_embed_dim'}
    for key in saved.keys() - unsaid:
        assert json.loads(json.dumps(found[key])) == saved[key], key


@pytest.mark.parametrize('config', [KL, VQ | dict(z_channels=4)])
def test_there_and_back_every_number_is_the_same(config):
    config = config | dict(latent_scale=0.3)
    ours = MODELS.build(config).state_dict()
    theirs = FIRST_STAGE_KEYS.write(ours, config)
    scale = latent_scale(ours)
    assert scale == 0.3
    arguments = first_stage_to_diffusers_config(config, scale)
    read = first_stage_from_diffusers_config(arguments)
    back = FIRST_STAGE_KEYS.read(theirs, read)
    for name, weight in back.items():
        assert torch.equal(ours[name], weight), name
    of_training = {'ema_size', 'ema_sum', 'initialized', 'idle'}
    missing = {name.rpartition('.')[2] for name in ours.keys() - back.keys()}
    assert missing <= of_training


@pytest.mark.parametrize('ones', [(), (1,), (1, 1)])
def test_attention_of_old_files(ones):
    ours = MODELS.build(KL).state_dict()
    theirs = FIRST_STAGE_KEYS.write(ours, KL)
    old = {}
    for name, weight in theirs.items():
        for new, before in (
            ('to_q', 'query'),
            ('to_k', 'key'),
            ('to_v', 'value'),
            ('to_out.0', 'proj_attn'),
        ):
            if f'.{new}.weight' in name:
                weight = weight.view(*weight.shape, *ones)
            name = name.replace(f'.{new}.', f'.{before}.')
        old[name] = weight
    assert sum('.query.' in name for name in old) == 2 * 8
    back = FIRST_STAGE_KEYS.read(old, KL)
    for name, weight in ours.items():
        assert torch.equal(back[name], weight), name


def test_a_codebook_of_2022_has_latents_as_they_are():
    """diffusers itself would divide them by 0.18215."""
    config = first_stage_from_diffusers_config(CELEBAHQ)
    assert config == dict(
        type='AutoencoderVQ',
        latent_channels=3,
        channels=128,
        channel_mults=(1, 2, 4),
        num_res_blocks=2,
        attn_factors=(),
        mid_attention=True,
        norm_groups=32,
        latent_scale=1.0,
        quantizer=dict(num_codes=8192, beta=0.25, legacy_beta=True),
    )
    assert first_stage_to_diffusers_config(config)['scaling_factor'] == 1.0


@pytest.mark.parametrize(
    'theirs, millions',
    [
        (CELEBAHQ, 55.323),
        (
            dict(
                _class_name='AutoencoderKL',
                block_out_channels=[128, 256, 512, 512],
                down_block_types=['DownEncoderBlock2D'] * 4,
                layers_per_block=2,
                up_block_types=['UpDecoderBlock2D'] * 4,
            ),
            83.654,
        ),
    ],
)
def test_every_tensor_of_a_published_model_has_its_place(theirs, millions):
    arguments = {k: v for k, v in theirs.items() if k != '_diffusers_version'}
    with torch.device('meta'):
        weights = build_theirs(arguments).state_dict()
    config = first_stage_from_diffusers_config(theirs)
    ours = FIRST_STAGE_KEYS.read(weights, config)
    count = sum(w.numel() for n, w in ours.items() if 'latent_' not in n)
    assert count / 1e6 == pytest.approx(millions, abs=1e-3)


def test_a_posterior_of_2022_has_the_scale_of_stable_diffusion():
    config = first_stage_from_diffusers_config(
        dict(_class_name='AutoencoderKL')
    )
    assert config['latent_scale'] == 0.18215


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(_class_name='UNet2DModel'), "='UNet2DModel' cannot be conv"),
        (dict(act_fn='gelu'), "VQModel.act_fn='gelu' has no counterpart"),
        (dict(norm_type='spatial'), "norm_type='spatial' .* only 'group' has"),
        (dict(in_channels=1), 'VQModel.in_channels=1 has no counterpart'),
        (dict(latents_mean=[1.0]), r'latents_mean=\[1.0\] has no counterpart'),
        (dict(shift_factor=0.1), 'shift_factor=0.1 has no counterpart'),
        (dict(use_quant_conv=False), 'use_quant_conv=False .* only True has'),
        (dict(magic=1), 'VQModel.magic=1 is not known'),
        (dict(block_out_channels=[128, 192, 256]), 'multiples of the first'),
        (dict(block_out_channels=[128, 256]), 'not one a block: there are 3'),
        (dict(down_block_types=['DownBlock2D'] * 3), 'only DownEncoderBlock'),
        (
            dict(up_block_types=['AttnUpDecoderBlock2D'] * 3),
            'is not the way down in reverse',
        ),
    ],
)
def test_what_ours_has_not_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        first_stage_from_diffusers_config(CELEBAHQ | change)


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(type='IdentityAutoencoder'), "type='IdentityAutoencoder' has n"),
        (
            KL | dict(image_skip=True),
            'image_skip=True .* starts_as_resizing=T',
        ),
        (KL | dict(z_channels=6), 'z_channels=6 .* the 4 latent_channels'),
        (
            VQ | dict(quantizer=dict(num_codes=4, normalize=True)),
            'quantizer.normalize=True has no counterpart',
        ),
    ],
)
def test_what_diffusers_has_not_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        first_stage_to_diffusers_config(config)


def test_weights_of_another_model_are_refused():
    theirs = FIRST_STAGE_KEYS.write(MODELS.build(KL).state_dict(), KL)
    del theirs['decoder.conv_out.bias']
    with pytest.raises(ValueError, match='conv_out.bias is missing.*config.j'):
        FIRST_STAGE_KEYS.read(theirs, KL)
