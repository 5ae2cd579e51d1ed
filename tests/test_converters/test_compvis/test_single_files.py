"""Weights as they circulate: each is accepted with its line, or refused."""

import logging
import re

import pytest
import torch
from mmengine.logging import MMLogger
from safetensors.torch import save_file

from mmldm.converters import (
    convert_compvis,
    model_config,
    read_compvis_checkpoint,
    recognised,
    with_first_stage,
)
from mmldm.converters.compvis.denoiser import UNET_KEYS
from mmldm.converters.compvis.first_stage import FIRST_STAGE_KEYS
from mmldm.converters.diffusers.first_stage import (
    FIRST_STAGE_KEYS as DIFFUSERS_KEYS,
)
from mmldm.registry import MODELS

from .stable import (
    FIRST,
    MODEL,
    SECOND,
    STAGE,
    open_clip_weights,
    stable_diffusion_1,
    stable_diffusion_2,
    stage_weights,
    under,
)

pytestmark = [
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
]
ATTENTION = {
    '.q.': '.to_q.',
    '.k.': '.to_k.',
    '.v.': '.to_v.',
    '.proj_out.': '.to_out.0.',
}


@pytest.fixture(scope='module')
def first():
    return stable_diffusion_1()


@pytest.fixture(scope='module')
def second():
    return stable_diffusion_2()


@pytest.fixture(scope='module')
def stage():
    return stage_weights()


@pytest.fixture
def said():
    """Lines of the log."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture
def read(tmp_path):
    """The content of a file, as it is read."""

    def read(content):
        torch.save(content, tmp_path / 'x.ckpt')
        return read_compvis_checkpoint(tmp_path / 'x.ckpt')

    return read


def converted(weights, *flags):
    original, weights = recognised(weights, *flags)
    return convert_compvis(original, weights)


def same(found, expected):
    found, expected = found.weights, expected.weights
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) for name in found
    )


def renamed(weights, names):
    found = {}
    for name, weight in weights.items():
        if 'attn_1' in name:
            for old, new in names.items():
                name = name.replace(old, new)
        found[name] = weight
    return found


def flat(weights):
    """Attention of the first stage as linear layers."""
    return {
        name: weight.flatten(1)
        if 'first_stage' in name and weight.shape[2:] == (1, 1)
        else weight
        for name, weight in weights.items()
    }


def without(weights, *starts):
    return {n: w for n, w in weights.items() if not n.startswith(starts)}


# What is done to a file of Stable Diffusion 1, and the line about it.
VARIANTS = [
    (lambda w: w, 'Recognised as Stable Diffusion 1 that predicts the noise'),
    (lambda w: dict(state_dict=w, global_step=3), 'Recognised'),
    (lambda w: under('module.', w), 'names that wrappers of torch'),
    (lambda w: under('_orig_mod.', w), 'names that wrappers of torch'),
    (lambda w: dict(model=w, epoch=1), 'The weights are read from model'),
    (
        lambda w: dict(model=dict(state_dict=w)),
        'The weights are read from model.state_dict',
    ),
    (lambda w: w | dict(epoch=3), 'no tensors are left out: epoch'),
    (
        lambda w: {n.replace('.text_model.', '.'): v for n, v in w.items()},
        'Recognised',
    ),
    (lambda w: renamed(w, ATTENTION), 'have names of diffusers'),
    (flat, r'linear layers in place of 1x1 convolutions.*attn_1'),
    (
        lambda w: dict(reversed(w.items())),
        'Recognised',
    ),
]


@pytest.mark.parametrize('change, line', VARIANTS)
def test_stable_diffusion_1_is_accepted(first, read, said, change, line):
    found = converted(read(change(first)))
    assert same(found, converted(first))
    assert any(re.search(line, told) for told in said)


EXTRAS = {
    'embedding_manager.embedder.weight': 'textual inversion',
    'denoiser.sigmas': 'another sampler',
    'cond_stage_model.logit_scale': 'comparison of texts',
    'cond_stage_model.transformer.text_model.embeddings.position_ids': '0, 1',
    'first_stage_model.loss.logvar': 'of the training loss',
}


@pytest.mark.parametrize('name', EXTRAS)
def test_extra_weights_are_named_with_the_reason(first, name):
    found = converted(first | {name: torch.ones(1)})
    assert same(found, converted(first))
    ((reason, names),) = found.left_out.items()
    assert EXTRAS[name] in reason and names == [name]


def test_a_running_average_is_taken(first):
    average = {
        'model_ema.' + name.removeprefix('model.').replace('.', ''): 2 * w
        for name, w in first.items()
        if name.startswith('model.')
    }
    found = converted(first | average).weights
    expected = converted(first).weights
    name = 'denoiser.out.2.weight'
    assert torch.equal(found[name], 2 * expected[name])


def test_safetensors_are_read(first, tmp_path):
    path = tmp_path / 'x.safetensors'
    save_file(first, path)
    assert same(converted(read_compvis_checkpoint(path)), converted(first))


# What is done to a file, and the refusal with its remedy.
REFUSED = [
    (lambda w: without(w, FIRST), 'no first stage .*--first-stage FILE'),
    (lambda w: without(w, SECOND), 'not the text encoder .*whole model'),
    (
        lambda w: w | {'more.weight': torch.ones(1)},
        'more.weight has no place: .*--ignore NAME',
    ),
    (
        lambda w: w | {MODEL + 'input_blocks.0.0.weight': torch.ones(64, 9)},
        'takes 9 channels, as models for inpainting do: .*yaml file',
    ),
    (
        lambda w: w | {MODEL + 'label_emb.0.0.weight': torch.ones(1)},
        'with more conditions than a text do: .*--only-first-stage',
    ),
    (
        lambda w: w | dict(alphas_cumprod=torch.linspace(1, 0.1, 1000)),
        'alphas_cumprod of the checkpoint .*take its own yaml',
    ),
    (
        lambda w: without(w, MODEL + 'out.2.bias'),
        r'model.diffusion_model.\*: .*out.2.bias is missing',
    ),
]


@pytest.mark.parametrize('change, message', REFUSED)
def test_stable_diffusion_1_is_refused(first, change, message):
    with pytest.raises(ValueError, match=message):
        converted(change(first))


def test_a_first_stage_of_any_names_is_added(first, stage, said):
    ours = MODELS.build(STAGE).state_dict()
    rest, theirs = without(first, FIRST), DIFFUSERS_KEYS.write(ours, STAGE)
    found = converted(with_first_stage(rest, theirs)).weights
    for name in ours.keys() - {'latent_scale', 'latent_shift'}:
        assert torch.equal(found[f'autoencoder.{name}'], ours[name]), name
    assert found['autoencoder.latent_scale'].unique() == torch.tensor(0.18215)
    assert any('names of diffusers' in line for line in said)


def test_stable_diffusion_2_is_accepted(second, said):
    found = converted(second, 'v')
    assert 'Recognised as Stable Diffusion 2 that predicts v' in said
    (text,) = found.config['conditioner']['embedders']
    assert text['config']['num_hidden_layers'] == 2
    assert text['config']['hidden_act'] == 'gelu'
    assert text['pad_id'] == 0
    scheduler = found.config['diffusion_scheduler']
    assert scheduler['prediction'] == dict(type='VelocityPrediction')
    assert found.config['denoiser']['attention']['head_channels'] == 64
    assert found.left_out['after the layer that is read'] == [
        name for name in second if '.resblocks.2.' in name
    ]
    model = MODELS.build(found.config)
    model.load_state_dict(found.weights)
    base = converted(second, 'eps').config
    assert base['diffusion_scheduler']['prediction'] == dict(
        type='EpsilonPrediction'
    )


def test_stable_diffusion_2_needs_its_prediction(second):
    with pytest.raises(ValueError, match='--prediction v .*--prediction eps'):
        recognised(second)


@torch.no_grad()
def test_open_clip_computes_what_it_computed(second):
    """Its blocks, by torch's own layers; the last one is not read."""
    found = converted(second, 'v')
    (config,) = found.config['conditioner']['embedders']
    encoder = MODELS.build(config)
    start = 'conditioner.embedders.0.'
    encoder.load_state_dict(
        {
            name.removeprefix(start): weight
            for name, weight in found.weights.items()
            if name.startswith(start)
        }
    )
    ids = torch.tensor([[1, 5, 3, 8, 0, 0]])
    encoder.tokenizer = lambda *_: ids
    tokens = encoder([], torch.tensor([False]))
    expected = open_clip(without(second, MODEL, FIRST), ids)
    torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-5)


def open_clip(weights, ids):
    def part(name):
        start = f'{SECOND}model.{name}'
        return {
            n.removeprefix(start): w
            for n, w in weights.items()
            if n.startswith(start)
        }

    def layer(module, name):
        module.load_state_dict(part(name))
        return module

    (places,) = part('positional_embedding').values()
    (table,) = part('token_embedding.weight').values()
    width = table.shape[1]
    x = table[ids] + places[: ids.shape[1]]
    later = torch.full((ids.shape[1],) * 2, -torch.inf).triu(1)
    for i in range(2):
        block = f'transformer.resblocks.{i}.'
        attention = layer(
            torch.nn.MultiheadAttention(width, 1, batch_first=True),
            f'{block}attn.',
        )
        y = layer(torch.nn.LayerNorm(width), f'{block}ln_1.')(x)
        x = x + attention(y, y, y, need_weights=False, attn_mask=later)[0]
        y = layer(torch.nn.LayerNorm(width), f'{block}ln_2.')(x)
        wide = torch.nn.Linear(width, 4 * width)
        back = torch.nn.Linear(4 * width, width)
        y = layer(wide, f'{block}mlp.c_fc.')(y)
        y = torch.nn.functional.gelu(y)
        x = x + layer(back, f'{block}mlp.c_proj.')(y)
    return layer(torch.nn.LayerNorm(width), 'ln_final.')(x)


NO_CONVOLUTIONS = dict(
    latent_channels=16, quant_conv=False, post_quant_conv=False
)
# The config of a first stage, what is done to its file, and a line, if any.
STAGES = [
    ({}, lambda w: w, None),
    ({}, lambda w: under(FIRST, w), 'is read from first_stage_model'),
    ({}, lambda w: under('module.' + FIRST, w), 'wrappers of torch'),
    ({}, lambda w: under('vae.', w), 'is read from vae'),
    ({}, lambda w: dict(model=w), 'The weights are read from model'),
    ({}, lambda w: w | {'loss.logvar': torch.ones(1)}, None),
    (
        {},
        lambda w: under(FIRST, w) | {'model.x': torch.ones(1)},
        r'from first_stage_model.*1 other weights are left out: model.x',
    ),
    (NO_CONVOLUTIONS, lambda w: w, None),
    (dict(post_quant_conv=False), lambda w: w, None),
    (dict(mid_attention=False), lambda w: w, None),
    (dict(num_res_blocks=2, attn_factors=(2, 4)), lambda w: w, None),
]


@pytest.mark.parametrize('options, change, line', STAGES)
def test_a_first_stage_is_accepted(read, said, options, change, line):
    config = STAGE | options
    ours = MODELS.build(config).state_dict()
    theirs = stage_weights(config)
    found = converted(read(change(theirs))).config['autoencoder']
    network = {k: v for k, v in found.items() if v is not None}
    assert MODELS.build(network).state_dict().keys() == ours.keys()
    for key, value in config.items():
        assert found.get(key, value) == value, key
    if line is not None:
        assert any(re.search(line, told) for told in said)


@pytest.mark.parametrize(
    'options', [{}, NO_CONVOLUTIONS, dict(attn_factors=(1, 4))]
)
@pytest.mark.parametrize('old', [False, True])
def test_a_file_of_diffusers_is_the_same_first_stage(options, old):
    """Without its config.json; also with the names before 0.13."""
    config = STAGE | options
    ours = MODELS.build(config).state_dict()
    theirs = DIFFUSERS_KEYS.write(ours, config)
    if old:
        names = dict(
            zip(
                ATTENTION.values(),
                ('.query.', '.key.', '.value.', '.proj_attn.'),
                strict=True,
            )
        )
        for new, before in names.items():
            theirs = {n.replace(new, before): w for n, w in theirs.items()}
    found = converted(theirs)
    for name, weight in ours.items():
        assert torch.equal(found.weights[f'autoencoder.{name}'], weight), name


@pytest.mark.parametrize('start', [FIRST, 'vae.', ''])
def test_prefixes_are_taken_off_with_a_yaml_file_too(stage, start):
    original, _ = recognised(stage)
    average = {'model_ema.num_updates': torch.tensor(1)} if not start else {}
    found = convert_compvis(original, under(start, stage) | average)
    assert same(found, convert_compvis(original, stage))


def test_two_names_of_one_weight_are_refused(stage):
    twice = stage | {
        'encoder.mid.attn_1.to_q.bias': stage['encoder.mid.attn_1.q.bias']
    }
    with pytest.raises(ValueError, match='are both encoder.mid.attn_1.q.bia'):
        recognised(twice)


# A name in a file that is no model of latent diffusion, and what is said.
STRANGERS = {
    'lora_unet_down_blocks_0_attn.lora_down.weight': 'is a LoRA adapter',
    'unet.down.attn1.to_q.lora_A.weight': 'is a LoRA adapter',
    'control_model.input_blocks.0.0.weight': 'is a ControlNet',
    'emb_params': 'is a textual inversion',
    'conditioner.embedders.0.transformer.x': 'XL.*--only-first-stage',
    'model.diffusion_model.joint_blocks.0.x': 'Diffusion 3.*--only-first',
    'double_blocks.0.img_attn.qkv.weight': '3 or FLUX',
    'model.diffusion_model.x_embedder.weight': 'denoiser .*x_embedder.* is n',
    'denoiser.conv_in.weight': 'a file of mmldm .*needs no conversion',
    'down_blocks.0.resnets.0.conv1.weight': 'UNet of diffusers .*to_mmldm.py',
    'text_model.encoder.layers.0.mlp.fc1.weight': 'a text encoder alone',
    'decoder.layers.0.weight': 'TAESD.*DiffusersAutoencoder',
    'encoder.stages.0.x': 'DC-AE.*DiffusersAutoencoder',
    'something.weight': r'conv_in.weight is missing .*something.weight.: give',
}


@pytest.mark.parametrize('name', STRANGERS)
def test_a_file_of_another_kind_says_what_it_is(name):
    with pytest.raises(ValueError, match=STRANGERS[name]):
        recognised({name: torch.ones(1)})


@pytest.mark.parametrize(
    'name',
    [
        MODEL + 'input_blocks.0.0.weight',
        MODEL + 'input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight',
        MODEL + 'input_blocks.1.0.out_layers.3.weight',
        MODEL + 'out.2.weight',
        FIRST + 'decoder.conv_in.weight',
        FIRST + 'post_quant_conv.weight',
        FIRST + 'encoder.down.1.block.0.conv1.weight',
        SECOND + 'transformer.text_model.embeddings.token_embedding.weight',
        SECOND + 'transformer.text_model.embeddings.position_embedding.weight',
    ],
)
@pytest.mark.parametrize('shape', [None, (), (0, 0), (3,)])
def test_odd_shapes_are_refused(first, name, shape):
    """Each by an error of the converter, not of Python."""
    odd = without(first, name)
    if shape is not None:
        odd[name] = torch.zeros(shape)
    with pytest.raises(ValueError, match='yaml file|shape|max_length=77'):
        converted(odd)


# v2-inference-v.yaml, without the keys of training.
STABLE_2 = dict(
    target='ldm.models.diffusion.ddpm.LatentDiffusion',
    params=dict(
        parameterization='v',
        linear_start=0.00085,
        linear_end=0.0120,
        timesteps=1000,
        first_stage_key='jpg',
        cond_stage_key='txt',
        image_size=96,
        channels=4,
        cond_stage_trainable=False,
        conditioning_key='crossattn',
        scale_factor=0.18215,
        use_ema=False,
        unet_config=dict(
            target='ldm.modules.diffusionmodules.openaimodel.UNetModel',
            params=dict(
                use_checkpoint=True,
                use_fp16=True,
                image_size=32,
                in_channels=4,
                out_channels=4,
                model_channels=320,
                attention_resolutions=[4, 2, 1],
                num_res_blocks=2,
                channel_mult=[1, 2, 4, 4],
                num_head_channels=64,
                use_spatial_transformer=True,
                use_linear_in_transformer=True,
                transformer_depth=1,
                context_dim=1024,
                legacy=False,
            ),
        ),
        first_stage_config=dict(
            target='ldm.models.autoencoder.AutoencoderKL',
            params=dict(
                embed_dim=4,
                monitor='val/rec_loss',
                ddconfig=dict(
                    double_z=True,
                    z_channels=4,
                    resolution=256,
                    in_channels=3,
                    out_ch=3,
                    ch=128,
                    ch_mult=[1, 2, 4, 4],
                    num_res_blocks=2,
                    attn_resolutions=[],
                    dropout=0.0,
                ),
                lossconfig=dict(target='torch.nn.Identity'),
            ),
        ),
        cond_stage_config=dict(
            target='ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder',
            params=dict(freeze=True, layer='penultimate'),
        ),
    ),
)


def test_stable_diffusion_2_of_full_size_is_that_of_its_yaml_file():
    """865.9 M parameters in its UNet, whose shapes show all but the heads."""
    config = model_config(STABLE_2)
    with torch.device('meta'):
        model = MODELS.build(config)
        text = open_clip_weights(1024, 24, vocab_size=49408)
    parts = {
        MODEL: UNET_KEYS.write(
            model.denoiser.state_dict(), config['denoiser']
        ),
        FIRST: FIRST_STAGE_KEYS.write(
            model.autoencoder.state_dict(), config['autoencoder']
        ),
        SECOND: text,
    }
    count = sum(weight.numel() for weight in parts[MODEL].values())
    assert count == pytest.approx(865.9e6, rel=1e-4)
    state = {}
    for start, part in parts.items():
        state |= under(start, part)
    found, _ = recognised(state, 'v')
    assert model_config(found) == config
    _, weights, _ = convert_compvis(STABLE_2, state)
    expected = {n: w.shape for n, w in model.state_dict().items()}
    assert {n: w.shape for n, w in weights.items()} == expected
