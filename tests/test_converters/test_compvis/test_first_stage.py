"""Against what the original computes; see tests/data/reference/README.md."""

import copy

import pytest
import torch

from mmldm.converters.compvis.first_stage import (
    FIRST_STAGE_KEYS,
    first_stage_config,
)
from mmldm.converters.compvis.first_stage_shapes import first_stage_of
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import load_weights

PREFIX = 'first_stage_model.'
# Millions of parameters of the published first stages.
PUBLISHED = {
    'kl-f4': 55.312,
    'kl-f8': 83.654,
    'kl-f16': 69.611,
    'kl-f32': 103.880,
    'vq-f4': 55.323,
    'vq-f4-noattn': 53.219,
    'vq-f8': 67.717,
    'vq-f8-n256': 67.653,
    'vq-f16': 69.593,
}
KL = dict(
    target='ldm.models.autoencoder.AutoencoderKL',
    params=dict(
        embed_dim=4,
        lossconfig=dict(target='torch.nn.Identity'),
        ddconfig=dict(
            double_z=True,
            z_channels=4,
            resolution=64,
            in_channels=3,
            out_ch=3,
            ch=32,
            ch_mult=[1, 2],
            num_res_blocks=1,
            attn_resolutions=[],
            dropout=0.0,
        ),
    ),
)
MISSING = object()
NEEDED = [
    'embed_dim',
    'ddconfig.attn_resolutions',
    'ddconfig.ch',
    'ddconfig.num_res_blocks',
    'ddconfig.resolution',
    'ddconfig.z_channels',
]
OF_TRAINING = [
    'batch_resize_range',
    'ckpt_path',
    'colorize_nlabels',
    'ddconfig.dropout',
    'ignore_keys',
    'image_key',
    'lossconfig',
    'lr_g_factor',
    'monitor',
    'sane_index_shape',
    'scheduler_config',
    'use_ema',
    'vq_interface',
]


class Case:
    """A first stage of the original, its weights and what it computes."""

    def __init__(self, name, reference):
        params = reference.original(name)
        self.original = params['first_stage_config']
        self.scale = params.get('scale_factor', 1.0)
        self.weights = reference.weights(name, PREFIX)
        image = reference.gaussian(f'{name}/image', (2, 3, 64, 64))
        self.x = image.clamp(-1, 1)
        self.expected = reference.values(name)


def original(change=None, value=None, base=KL):
    """KL with ``params.<change>`` set to a value, or left out."""
    changed = copy.deepcopy(base)
    if change is not None:
        *path, key = change.split('.')
        node = changed['params']
        for name in path:
            node = node[name]
        node.pop(key, None)
        if value is not MISSING:
            node[key] = value
    return changed


@torch.no_grad()
def test_a_converted_model_computes_what_the_original_does(
    assert_near, reference, name
):
    case = Case(name, reference)
    config = first_stage_config(case.original)
    config['latent_scale'] = case.scale
    model = MODELS.build(config).eval()
    weights = FIRST_STAGE_KEYS.read(case.weights, config)
    load_weights(model, weights, name)
    expected = case.expected
    z_0 = model.encode(case.x)
    assert_near(z_0, expected['z0'])
    if 'moments' in expected:
        assert_near(model.encode_moments(case.x), expected['moments'])
    else:
        assert torch.equal(model.codes(z_0), expected['code_indices'].long())
    assert_near(model.decode(expected['z0']), expected['decoded'])


@pytest.fixture(scope='module')
def published(reference):
    models = reference.published(('first_stage_models',))
    return {name.split('/')[1]: model for name, model in models.items()}


def shapes(weights):
    return {name: tuple(weight.shape) for name, weight in weights.items()}


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_tensor_of_a_published_model_has_its_place(name, published):
    config = first_stage_config(published[name]['config'])
    theirs = {
        key: torch.empty(shape, device='meta')
        for key, shape in published[name]['state_dict'].items()
    }
    with torch.device('meta'):
        model = MODELS.build(config)
    ours = FIRST_STAGE_KEYS.read(theirs, config)
    assert shapes(ours) == shapes(model.state_dict())
    assert shapes(FIRST_STAGE_KEYS.write(ours, config)) == shapes(theirs)
    count = sum(p.numel() for p in model.parameters())
    assert count / 1e6 == pytest.approx(PUBLISHED[name], abs=1e-3)


def test_all_published_models_are_tested(published):
    assert published.keys() == PUBLISHED.keys()


ATTENDED = original('ddconfig.attn_resolutions', [32])
# With two levels, one block each in the encoder, two in the decoder, and
# attention at the second.
PLACES = {
    'encoder.0.weight': 'encoder.conv_in.weight',
    'encoder.1.conv1.bias': 'encoder.down.0.block.0.conv1.bias',
    'encoder.2.conv.weight': 'encoder.down.0.downsample.conv.weight',
    'encoder.3.skip.weight': 'encoder.down.1.block.0.nin_shortcut.weight',
    'encoder.4.norm.bias': 'encoder.down.1.attn.0.norm.bias',
    'encoder.5.0.norm2.weight': 'encoder.mid.block_1.norm2.weight',
    'encoder.5.1.norm.weight': 'encoder.mid.attn_1.norm.weight',
    'encoder.5.2.norm1.weight': 'encoder.mid.block_2.norm1.weight',
    'encoder.6.0.bias': 'encoder.norm_out.bias',
    'encoder.6.2.weight': 'encoder.conv_out.weight',
    'decoder.0.weight': 'decoder.conv_in.weight',
    'decoder.1.2.conv2.weight': 'decoder.mid.block_2.conv2.weight',
    'decoder.2.conv1.bias': 'decoder.up.1.block.0.conv1.bias',
    'decoder.3.norm.bias': 'decoder.up.1.attn.0.norm.bias',
    'decoder.4.conv1.bias': 'decoder.up.1.block.1.conv1.bias',
    'decoder.5.out.bias': 'decoder.up.1.attn.1.proj_out.bias',
    'decoder.6.conv.weight': 'decoder.up.1.upsample.conv.weight',
    'decoder.7.skip.bias': 'decoder.up.0.block.0.nin_shortcut.bias',
    'decoder.8.conv2.bias': 'decoder.up.0.block.1.conv2.bias',
    'decoder.9.2.bias': 'decoder.conv_out.bias',
    'post_quant_conv.bias': 'post_quant_conv.bias',
}


@pytest.fixture
def attended():
    """A model's config, with attention in a level, and random weights."""
    config = first_stage_config(ATTENDED)
    weights = MODELS.build(config).state_dict()
    return config, {n: torch.randn_like(w) for n, w in weights.items()}


def test_modules_are_in_the_order_of_the_original(attended):
    """The reference values are of models without attention in levels."""
    config, ours = attended
    theirs = FIRST_STAGE_KEYS.write(ours, config)
    for name, other in PLACES.items():
        assert torch.equal(ours[name], theirs[other]), name
    for level, name in (
        ('encoder.4', 'encoder.down.1.attn.0'),
        ('encoder.5.1', 'encoder.mid.attn_1'),
    ):
        rows = ours[f'{level}.qkv.bias'].chunk(3)
        for own, part in zip(rows, 'qkv', strict=True):
            assert torch.equal(own, theirs[f'{name}.{part}.bias'])


def test_there_and_back_every_number_is_the_same(attended):
    config, ours = attended
    back = FIRST_STAGE_KEYS.read(FIRST_STAGE_KEYS.write(ours, config), config)
    measured = {'latent_scale', 'latent_shift'}
    assert back.keys() == ours.keys()
    for name in back.keys() - measured:
        assert torch.equal(back[name], ours[name]), name


def test_the_latent_scale_is_that_of_the_config(attended):
    config, ours = attended
    config = {**config, 'latent_scale': 0.5, 'latent_shift': [1, 2, 3, 4]}
    weights = FIRST_STAGE_KEYS.read(
        FIRST_STAGE_KEYS.write(ours, config), config
    )
    assert weights['latent_scale'].flatten().tolist() == [0.5] * 4
    assert weights['latent_shift'].flatten().tolist() == [1, 2, 3, 4]


def test_what_only_training_uses_is_left_out(attended):
    config, ours = attended
    theirs = FIRST_STAGE_KEYS.write(ours, config)
    extra = {
        'loss.perceptual_loss.net.slice1.0.weight': torch.zeros(1),
        'loss.logvar': torch.zeros(()),
        'model_ema.decay': torch.zeros(()),
        'colorize': torch.zeros(3, 1, 1, 1),
    }
    converted = FIRST_STAGE_KEYS.read({**theirs, **extra}, config)
    assert converted.keys() == ours.keys()


QKV = r'encoder.5.1.qkv.weight \(192, 64\)'


@pytest.mark.parametrize(
    'name, weight, message',
    [
        (
            'encoder.mid.attn_1.k.weight',
            None,
            r'attn_1.k.weight is missing \(encoder.mid.attn_1.q.weight \+ .*'
            rf'\(64, 64, 1, 1\) -> {QKV}\)',
        ),
        (
            'encoder.mid.attn_1.k.weight',
            torch.zeros(64, 63),
            rf'attn_1.k.weight has shape \(64, 63\) \(.* -> {QKV}\)',
        ),
        (
            'quant_conv.bias',
            torch.zeros(3),
            r'quant_conv.bias has shape \(3,\) \(quant_conv.bias \(8,\) -> ',
        ),
        ('encoder.more', torch.zeros(3), 'encoder.more has no place'),
    ],
)
def test_weights_that_do_not_fit_are_refused(attended, name, weight, message):
    config, ours = attended
    theirs = FIRST_STAGE_KEYS.write(ours, config)
    theirs.pop(name, None)
    if weight is not None:
        theirs[name] = weight
    with pytest.raises(ValueError, match=f'do not fit.* 1 times: .*{message}'):
        FIRST_STAGE_KEYS.read(theirs, config)


def test_of_many_weights_that_do_not_fit_three_are_named(attended):
    config, ours = attended
    count = len(FIRST_STAGE_KEYS.write(ours, config))
    with pytest.raises(ValueError, match=f' {count} times: ') as error:
        FIRST_STAGE_KEYS.read({}, config)
    assert str(error.value).count('is missing') == 3


def test_the_config_says_all_that_the_network_needs():
    assert first_stage_config(ATTENDED) == dict(
        type='AutoencoderKL',
        latent_channels=4,
        channels=32,
        channel_mults=(1, 2),
        num_res_blocks=1,
        attn_factors=(2,),
        mid_attention=True,
    )


def test_a_codebook_is_trained_on_as_it_was():
    """Loss of the published ones: codes 0.25, commitment 1."""
    for interface in ('', 'Interface'):
        config = first_stage_config(
            dict(
                target=f'ldm.models.autoencoder.VQModel{interface}',
                params=dict(
                    original('ddconfig.double_z', False)['params'], n_embed=16
                ),
            )
        )
        assert config['type'] == 'AutoencoderVQ'
        quantizer = MODELS.build(config).quantizer
        assert quantizer.codebook.shape == (16, 4)
        assert quantizer.codebook_weight == 0.25
        assert quantizer.commit_weight == 1


@pytest.mark.parametrize(
    'key, value, changed',
    [
        ('ddconfig.attn_resolutions', [64], dict(attn_factors=(1,))),
        ('ddconfig.attn_resolutions', [32, 64], dict(attn_factors=(1, 2))),
        ('ddconfig.attn_resolutions', [16], {}),  # no level has it
        ('ddconfig.attn_type', 'vanilla', {}),
        ('ddconfig.attn_type', 'none', dict(mid_attention=False)),
        ('ddconfig.z_channels', 6, dict(z_channels=6)),
        ('ddconfig.num_res_blocks', 3, dict(num_res_blocks=3)),
        ('ddconfig.ch', 64, dict(channels=64)),
        ('ddconfig.ch_mult', [1, 1], dict(channel_mults=(1, 1))),
        ('ddconfig.ch_mult', MISSING, dict(channel_mults=(1, 2, 4, 8))),
        ('ddconfig.double_z', MISSING, {}),
        ('ddconfig.resamp_with_conv', True, {}),
        ('remap', None, {}),
        *((key, 'anything', {}) for key in OF_TRAINING),
    ],
)
def test_a_key_changes_what_it_says(key, value, changed):
    expected = {**first_stage_config(KL), **changed}
    assert first_stage_config(original(key, value)) == expected


def test_without_attention_there_is_none_in_levels_either():
    config = first_stage_config(
        original('ddconfig.attn_type', 'none', base=ATTENDED)
    )
    assert config['attn_factors'] == ()


@pytest.mark.parametrize('params', [None, {}, dict(vq_interface=True)])
def test_no_first_stage_is_the_identity(params):
    config = first_stage_config(
        dict(target='ldm.models.autoencoder.IdentityFirstStage', params=params)
    )
    model = MODELS.build(config)
    load_weights(model, FIRST_STAGE_KEYS.read({}, config), 'nothing')
    x = torch.randn(1, 3, 4, 4)
    assert torch.equal(model.encode(x), x)
    assert FIRST_STAGE_KEYS.write(model.state_dict(), config) == {}


@pytest.mark.parametrize(
    'key, value, message',
    [
        ('ddconfig.attn_type', 'linear', "attn_type='linear'.*'none'"),
        ('ddconfig.use_linear_attn', True, 'use_linear_attn=True.*False has'),
        ('ddconfig.in_channels', 1, 'ddconfig.in_channels=1 .* only 3 has'),
        ('ddconfig.out_ch', 4, 'ddconfig.out_ch=4 .* only 3 has'),
        ('ddconfig.resamp_with_conv', False, 'resamp_with_conv=False .* True'),
        ('ddconfig.tanh_out', True, 'tanh_out=True .* only False has'),
        ('ddconfig.give_pre_end', True, 'give_pre_end=True .* only False has'),
        (
            'remap',
            'used.npy',
            "remap='used.npy' has no counterpart here: only None",
        ),
        ('n_embed', 512, 'params.n_embed=512 is not known'),
        ('ddconfig.chs', 64, 'params.ddconfig.chs=64 is not known'),
        ('ddconfig.double_z', False, 'double_z=False .* AutoencoderKL'),
        *((key, MISSING, f'params.{key} is missing') for key in NEEDED),
        ('ddconfig', MISSING, 'params.ddconfig.attn_resolutions is missing'),
    ],
)
def test_what_cannot_be_expressed_is_refused(key, value, message):
    with pytest.raises(ValueError, match=message):
        first_stage_config(original(key, value))


def test_a_codebook_without_its_size_is_refused():
    vq = dict(target='ldm.models.autoencoder.VQModel', params=KL['params'])
    with pytest.raises(ValueError, match='params.n_embed is missing'):
        first_stage_config(vq)


def test_a_size_of_which_encoder_and_decoder_differ_is_refused():
    odd = original('ddconfig.resolution', 33)
    assert first_stage_config(odd) == first_stage_config(KL)
    odd['params']['ddconfig']['attn_resolutions'] = [16]
    with pytest.raises(ValueError, match='resolution=33 .* factor 2'):
        first_stage_config(odd)


LDM = 'ldm.models.diffusion.ddpm.LatentDiffusion'


@pytest.mark.parametrize('target', [LDM, None])
def test_another_target_is_refused(target):
    message = f'target={target!r} cannot be .*AutoencoderKL.*VQModel'
    with pytest.raises(ValueError, match=message):
        first_stage_config(dict(target=target, params={}))


@pytest.mark.parametrize('name', PUBLISHED)
def test_the_weights_of_a_published_model_show_its_config(name, published):
    """Without their config file, with which they were published."""
    weights = {
        key: torch.empty(shape, device='meta')
        for key, shape in published[name]['state_dict'].items()
    }
    found = first_stage_config(first_stage_of(weights))
    assert found == first_stage_config(published[name]['config'])


def test_other_weights_need_their_config_file():
    with pytest.raises(ValueError, match='conv_in.weight is missing .*: give'):
        first_stage_of({'model.diffusion_model.out.weight': torch.ones(1)})
