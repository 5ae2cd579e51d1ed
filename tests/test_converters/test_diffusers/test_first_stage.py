"""The same numbers from the first stages of diffusers."""

import json

import diffusers
import pytest
import torch

from mmldm.converters.diffusers.first_stage import (
    FIRST_STAGE_KEYS,
    first_stage_class,
    first_stage_from_diffusers_config,
    first_stage_to_diffusers_config,
)
from mmldm.converters.diffusers.latent_scale import scale_keys
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
    scaled = as_pipelines_scale(z, theirs.config)
    near = dict(rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.encode(X), scaled, **near)
    image = theirs.decode(z).sample
    torch.testing.assert_close(ours.decode(scaled), image, **near)


def as_pipelines_scale(z, config):
    """Those of Stable Diffusion XL and 3."""
    if getattr(config, 'latents_mean', None) is None:
        shift = getattr(config, 'shift_factor', None) or 0.0
        return (z - shift) * config.scaling_factor
    mean, std = (
        torch.tensor(values)[:, None, None]
        for values in (config.latents_mean, config.latents_std)
    )
    return (z - mean) * config.scaling_factor / std


@pytest.mark.parametrize(
    'config',
    [
        KL,
        KL | dict(num_res_blocks=2, attn_factors=(), latent_scale=0.18215),
        KL | dict(mid_attention=False, norm_groups=8),
        KL | dict(quant_conv=False, latent_shift=0.5),
        KL | dict(latent_scale=[1, 2, 3, 4.0], latent_shift=[1, 0, 0, -1.0]),
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
        first_stage_to_diffusers_config(
            config, scale_keys(weights, first_stage_class(config))
        )
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

NO_CONVOLUTIONS = dict(
    latent_channels=16, use_quant_conv=False, use_post_quant_conv=False
)
STABLE_3 = NO_CONVOLUTIONS | dict(scaling_factor=1.5305, shift_factor=0.0609)
FLUX = NO_CONVOLUTIONS | dict(scaling_factor=0.3611, shift_factor=0.1159)


@pytest.mark.parametrize(
    'name, options',
    [
        ('AutoencoderKL', dict(latent_channels=6, layers_per_block=2)),
        ('AutoencoderKL', dict(scaling_factor=0.5, shift_factor=None)),
        ('AutoencoderKL', dict(mid_block_add_attention=False)),
        ('AutoencoderKL', STABLE_3),
        ('AutoencoderKL', FLUX),
        ('AutoencoderKL', dict(use_quant_conv=False, shift_factor=-1.5)),
        (
            'AutoencoderKL',
            dict(latents_mean=[0.5, 0, 1, 2], latents_std=[1, 2, 3, 4]),
        ),
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
        config,
        scale_keys(weights, first_stage_class(config)),
        saved['sample_size'],
    )
    found = build_theirs(arguments).config
    unsaid = {'_class_name', '_diffusers_version', 'vq_embed_dim'}
    if saved.get('latents_std'):  # divided by the scale
        unsaid |= {'scaling_factor', 'latents_mean', 'latents_std'}
        z = torch.randn(1, 4, 2, 2)
        torch.testing.assert_close(
            as_pipelines_scale(z, found), as_pipelines_scale(z, theirs.config)
        )
    for key in saved.keys() - unsaid:
        assert json.loads(json.dumps(found[key])) == saved[key], key


@pytest.mark.parametrize('config', [KL, VQ | dict(z_channels=4)])
def test_there_and_back_every_number_is_the_same(config):
    config = config | dict(latent_scale=0.3)
    ours = MODELS.build(config).state_dict()
    theirs = FIRST_STAGE_KEYS.write(ours, config)
    scale = scale_keys(ours, first_stage_class(config))
    assert scale['scaling_factor'] == 0.3
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


# The file that comes with Stable Diffusion XL.
STABLE_XL = dict(
    _class_name='AutoencoderKL',
    act_fn='silu',
    block_out_channels=[128, 256, 512, 512],
    down_block_types=['DownEncoderBlock2D'] * 4,
    force_upcast=True,
    in_channels=3,
    latent_channels=4,
    layers_per_block=2,
    norm_num_groups=32,
    out_channels=3,
    sample_size=1024,
    scaling_factor=0.13025,
    up_block_types=['UpDecoderBlock2D'] * 4,
)


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
        (STABLE_XL, 83.654),
        (STABLE_XL | FLUX, 83.820),
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
        (dict(_class_name='AutoencoderDC'), 'DC.*DiffusersAutoencoder'),
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
        (
            KL | dict(block_skip=True),
            'block_skip=True .* starts_as_resizing=T',
        ),
        (KL | dict(z_channels=6), 'z_channels=6 .* the 4 latent_channels'),
        (
            VQ | dict(quantizer=dict(num_codes=4, normalize=True)),
            'quantizer.normalize=True has no counterpart',
        ),
        (VQ | dict(quant_conv=False), 'quant_conv=False .* train with them'),
    ],
)
def test_what_diffusers_has_not_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        first_stage_to_diffusers_config(config)


KL_FILE = dict(_class_name='AutoencoderKL', latent_channels=2)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(latents_mean=[1.0, 2.0]), 'latents_mean=.* is ambiguous: keep'),
        (
            dict(latents_mean=[0], latents_std=[1], shift_factor=1),
            'shift_factor=1 is ambiguous',
        ),
        (dict(latents_mean=[0], latents_std=[1, 1]), 'for each ch'),
        (dict(latents_mean=[0, 0], latents_std=[1, 0]), 'deviations above 0'),
    ],
)
def test_an_unclear_scale_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        first_stage_from_diffusers_config(KL_FILE | change)


def test_weights_of_another_model_are_refused():
    theirs = FIRST_STAGE_KEYS.write(MODELS.build(KL).state_dict(), KL)
    del theirs['decoder.conv_out.bias']
    with pytest.raises(ValueError, match='conv_out.bias is missing.*config.j'):
        FIRST_STAGE_KEYS.read(theirs, KL)
