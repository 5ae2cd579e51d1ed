"""The same numbers from the UNets of diffusers."""

import json

import diffusers
import pytest
import torch

from mmldm.converters.diffusers.denoiser import UNET_KEYS, unet_keys
from mmldm.converters.diffusers.denoiser_config import (
    denoiser_from_diffusers_config,
    denoiser_to_diffusers_config,
)
from mmldm.registry import MODELS
from mmldm.structures import Condition

UNET = dict(
    type='DenoisingUNet',
    in_channels=5,
    out_channels=4,
    channels=64,
    channel_mults=(1, 2, 3),
    num_res_blocks=1,
    attn_factors=(2, 4),
)
T = torch.tensor([10.0, 900.0])


def both(awaken, config):
    """Our network, and diffusers' with its weights."""
    ours = awaken(MODELS.build(config)).eval()
    arguments = denoiser_to_diffusers_config(config)
    kind = getattr(diffusers, arguments.pop('_class_name'))
    theirs = kind(**arguments).eval()
    weights = unet_keys(config).write(ours.state_dict(), config)
    theirs.load_state_dict(weights)
    return ours, theirs


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(num_res_blocks=2, attn_factors=(1, 4)),
        dict(attention=dict(head_channels=16)),
        dict(attention=dict(num_heads=1)),
        dict(res_block=dict(scale_shift=True)),
    ],
)
@torch.no_grad()
def test_without_tokens_it_is_unet2dmodel(awaken, options):
    ours, theirs = both(awaken, UNET | options)
    z_t = torch.randn(2, 5, 8, 12)
    torch.testing.assert_close(
        ours(z_t, T, Condition()),
        theirs(z_t, T).sample,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(attention=dict(num_heads=8, depth=2), attn_factors=(1, 2)),
        dict(attention=dict(head_channels=16)),
        dict(res_block=dict(scale_shift=True)),
    ],
)
@pytest.mark.parametrize('num_tokens', [1, 3])
@torch.no_grad()
def test_with_tokens_it_is_unet2dconditionmodel(awaken, options, num_tokens):
    ours, theirs = both(awaken, UNET | dict(context_dim=8) | options)
    z_t, tokens = torch.randn(2, 5, 8, 12), torch.randn(2, num_tokens, 8)
    torch.testing.assert_close(
        ours(z_t, T, Condition(tokens=tokens)),
        theirs(z_t, T, encoder_hidden_states=tokens).sample,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize('context_dim', [None, 8])
def test_there_and_back_every_number_is_the_same(context_dim):
    config = UNET | dict(context_dim=context_dim)
    ours = MODELS.build(config).state_dict()
    theirs = unet_keys(config).write(ours, config)
    back = UNET_KEYS.read(theirs, config)
    assert back.keys() == ours.keys()
    for name, weight in ours.items():
        assert torch.equal(back[name], weight), name


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(vector_dim=6),
            r"vector_dim=6: .* ClassEmbedder\(slot='vector'\)",
        ),
        (dict(attention=dict(num_heads=2)), r'of \[64, 96\] channels'),
        (dict(res_block=dict(updown=True)), 'res_block.updown=True'),
        (dict(input_skip=True), 'denoiser.input_skip=True has no counterpart'),
    ],
)
def test_what_diffusers_has_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        denoiser_to_diffusers_config(UNET | options)


PLAIN = dict(
    block_out_channels=(64, 128, 64),
    down_block_types=('DownBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D'),
    up_block_types=('AttnUpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'),
)
CROSS = {
    key: tuple(kind.replace('Attn', 'CrossAttn') for kind in kinds)
    for key, kinds in PLAIN.items()
    if key != 'block_out_channels'
} | dict(block_out_channels=(64, 128, 64), cross_attention_dim=8)


@pytest.mark.parametrize(
    'name, options',
    [
        ('UNet2DModel', PLAIN),
        ('UNet2DModel', PLAIN | dict(attention_head_dim=32, in_channels=6)),
        ('UNet2DModel', PLAIN | dict(attention_head_dim=None, dropout=0.1)),
        (
            'UNet2DModel',
            PLAIN
            | dict(
                resnet_time_scale_shift='scale_shift',
                attn_norm_num_groups=32,
                layers_per_block=1,
            ),
        ),
        ('UNet2DConditionModel', CROSS),
        ('UNet2DConditionModel', CROSS | dict(layers_per_block=1)),
        (
            'UNet2DConditionModel',
            CROSS
            | dict(attention_head_dim=(4, 8, 4), use_linear_projection=True),
        ),
        (
            'UNet2DConditionModel',
            CROSS
            | dict(
                transformer_layers_per_block=2,
                resnet_time_scale_shift='scale_shift',
                sample_size=8,
            ),
        ),
    ],
)
@torch.no_grad()
def test_a_unet_of_theirs_computes_the_same_here(name, options, tmp_path):
    theirs = getattr(diffusers, name)(**options).eval()
    theirs.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / 'config.json').read_text())
    config = denoiser_from_diffusers_config(saved)
    ours = MODELS.build(config).eval()
    weights = theirs.state_dict()
    ours.load_state_dict(UNET_KEYS.read(weights, config))
    z_t = torch.randn(2, theirs.config.in_channels, 8, 12)
    tokens = torch.randn(2, 3, 8) if 'Cond' in name else None
    extra = dict(encoder_hidden_states=tokens) if 'Cond' in name else {}
    torch.testing.assert_close(
        ours(z_t, T, Condition(tokens=tokens)),
        theirs(z_t, T, **extra).sample,
        rtol=1e-4,
        atol=1e-4,
    )
    back = unet_keys(config).write(ours.state_dict(), config)
    assert back.keys() == weights.keys()
    for key, weight in weights.items():
        assert torch.equal(back[key], weight), key
    arguments = denoiser_to_diffusers_config(config, saved['sample_size'])
    arguments.pop('_class_name')
    found = type(theirs)(**arguments).config
    for key in saved.keys() - {'_class_name', '_diffusers_version'}:
        assert json.loads(json.dumps(found[key])) == saved[key], key


@pytest.mark.parametrize('linear', [True, False])
def test_projections_are_linear_layers_or_convolutions(linear):
    """Where heads have one width, or levels one number of them."""
    attention = dict(head_channels=16) if linear else dict(num_heads=4)
    config = UNET | dict(context_dim=8, attention=attention)
    assert (
        denoiser_to_diffusers_config(config)['use_linear_projection'] == linear
    )
    ours = MODELS.build(config).state_dict()
    theirs = unet_keys(config).write(ours, config)
    other = {
        name: w[..., None, None] if linear else w.flatten(1)
        for name, w in theirs.items()
        if name.endswith(('.proj_in.weight', '.proj_out.weight'))
    }
    for weights in (theirs, theirs | other):
        for name, weight in UNET_KEYS.read(weights, config).items():
            assert torch.equal(ours[name], weight), name


# As in the repositories of published models.
CELEBAHQ = dict(
    _class_name='UNet2DModel',
    _diffusers_version='0.1.2',
    act_fn='silu',
    attention_head_dim=32,
    block_out_channels=[224, 448, 672, 896],
    center_input_sample=False,
    down_block_types=['DownBlock2D', *['AttnDownBlock2D'] * 3],
    downsample_padding=1,
    flip_sin_to_cos=True,
    freq_shift=0,
    in_channels=3,
    layers_per_block=2,
    mid_block_scale_factor=1,
    norm_eps=1e-05,
    norm_num_groups=32,
    out_channels=3,
    sample_size=64,
    time_embedding_type='positional',
    up_block_types=[*['AttnUpBlock2D'] * 3, 'UpBlock2D'],
)
SD = dict(
    _class_name='UNet2DConditionModel',
    cross_attention_dim=768,
    sample_size=64,
)


def test_published_configs():
    common = dict(
        type='DenoisingUNet',
        num_res_blocks=2,
        res_block=dict(dropout=0.0, scale_shift=False),
    )
    assert denoiser_from_diffusers_config(CELEBAHQ) == common | dict(
        in_channels=3,
        out_channels=3,
        channels=224,
        channel_mults=(1, 2, 3, 4),
        attn_factors=(2, 4, 8),
        attention=dict(head_channels=32),
        context_dim=None,
    )
    sd_1 = common | dict(
        in_channels=4,
        out_channels=4,
        channels=320,
        channel_mults=(1, 2, 4, 4),
        attn_factors=(1, 2, 4),
        attention=dict(num_heads=8, depth=1),
        context_dim=768,
    )
    assert denoiser_from_diffusers_config(SD) == sd_1
    sd_2 = dict(attention_head_dim=[5, 10, 20, 20], cross_attention_dim=1024)
    extra = dict(use_linear_projection=True, upcast_attention=True)
    assert denoiser_from_diffusers_config(SD | sd_2 | extra) == sd_1 | dict(
        attention=dict(head_channels=64, depth=1), context_dim=1024
    )


@pytest.mark.parametrize(
    'theirs, millions',
    [
        (CELEBAHQ, 274.06),
        (SD, 859.52),
        (SD | dict(attention_head_dim=[5, 10, 20, 20]), 859.52),
    ],
)
def test_every_tensor_of_a_published_unet_has_its_place(theirs, millions):
    arguments = {k: v for k, v in theirs.items() if not k.startswith('_')}
    with torch.device('meta'):
        unet = getattr(diffusers, theirs['_class_name'])(**arguments)
    config = denoiser_from_diffusers_config(theirs)
    ours = UNET_KEYS.read(unet.state_dict(), config)
    count = sum(weight.numel() for weight in ours.values())
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    'theirs, change, message',
    [
        (SD, dict(_class_name='UNet1DModel'), "='UNet1DModel' cannot be conv"),
        (SD, dict(act_fn='gelu'), "UNet2DConditionModel.act_fn='gelu' has no"),
        (SD, dict(center_input_sample=True), 'only False has'),
        (SD, dict(class_embed_type='timestep'), "class_embed_type='timestep'"),
        (SD, dict(dual_cross_attention=True), 'dual_cross_attention=True has'),
        (SD, dict(only_cross_attention=True), 'only_cross_attention=True has'),
        (SD, dict(addition_embed_type='text_time'), "type='text_time' has no"),
        (SD, dict(norm_num_groups=16), 'norm_num_groups=16 .* only 32 has'),
        (SD, dict(norm_eps=1e-6), 'norm_eps=1e-06 .* only 1e-05 has'),
        (SD, dict(layers_per_block=[1, 2, 2, 2]), 'only one for all has'),
        (SD, dict(cross_attention_dim=[8, 8, 8, 9]), 'only one for all has'),
        (
            SD,
            dict(transformer_layers_per_block=[1, 2, 4, 4]),
            r'transformer_layers_per_block=\[1, 2, 4, 4\] has no counterpart',
        ),
        (SD, dict(attention_head_dim=[1, 2, 3, 4]), 'heads of the same width'),
        # The middle has the heads of the last level, which has none itself.
        (
            SD,
            dict(attention_head_dim=[5, 10, 20, 10]),
            'heads of the same width',
        ),
        (SD, dict(attention_head_dim=[1, 2]), 'is not one a block'),
        (SD, dict(magic=2), 'UNet2DConditionModel.magic=2 is not known'),
        (CELEBAHQ, dict(num_class_embeds=10), 'num_class_embeds=10 has no c'),
        (CELEBAHQ, dict(flip_sin_to_cos=False), 'flip_sin_to_cos=False has'),
        (CELEBAHQ, dict(freq_shift=1), 'freq_shift=1 has no counterpart'),
        (CELEBAHQ, dict(downsample_padding=0), 'downsample_padding=0 has no'),
        (CELEBAHQ, dict(downsample_type='resnet'), "only 'conv' has"),
        (CELEBAHQ, dict(time_embedding_type='fourier'), "only 'positional'"),
        (CELEBAHQ, dict(add_attention=False), 'add_attention=False has no c'),
        (
            CELEBAHQ,
            dict(resnet_time_scale_shift='scale_shift'),
            'attn_norm_num_groups=None has no counterpart',
        ),
        (CELEBAHQ, dict(attn_norm_num_groups=8), 'attn_norm_num_groups=8 ha'),
        (CELEBAHQ, dict(block_out_channels=[64, 96, 128, 192]), 'multiples'),
        (CELEBAHQ, dict(down_block_types=['SkipDownBlock2D']), 'a block with'),
    ],
)
def test_what_ours_has_not_is_refused(theirs, change, message):
    with pytest.raises(ValueError, match=message):
        denoiser_from_diffusers_config(theirs | change)


def test_attention_of_old_files():
    """As of ldm-celebahq-256 in 2022."""
    ours = MODELS.build(UNET).state_dict()
    old = {}
    for name, weight in unet_keys(UNET).write(ours, UNET).items():
        for new, before in (
            ('to_q', 'query'),
            ('to_k', 'key'),
            ('to_v', 'value'),
            ('to_out.0', 'proj_attn'),
        ):
            name = name.replace(f'.{new}.', f'.{before}.')
        old[name] = weight
    back = UNET_KEYS.read(old, UNET)
    for name, weight in ours.items():
        assert torch.equal(back[name], weight), name


def test_weights_of_another_network_are_refused():
    theirs = unet_keys(UNET).write(MODELS.build(UNET).state_dict(), UNET)
    del theirs['conv_out.bias']
    with pytest.raises(ValueError, match='conv_out.bias is missing'):
        UNET_KEYS.read(theirs, UNET)
