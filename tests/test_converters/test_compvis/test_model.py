"""Configs of whole models of the original."""

import copy

import pytest

from mmldm.converters import model_config
from mmldm.converters.compvis.conditioner import read_stage

MODULES = 'ldm.modules.encoders.modules.'
UNET = dict(
    target='ldm.modules.diffusionmodules.openaimodel.UNetModel',
    params=dict(
        image_size=16,
        in_channels=4,
        out_channels=4,
        model_channels=32,
        attention_resolutions=[2],
        num_res_blocks=1,
        channel_mult=[1, 2],
        num_heads=4,
    ),
)
FIRST_STAGE = dict(
    target='ldm.models.autoencoder.AutoencoderKL',
    params=dict(
        embed_dim=4,
        ddconfig=dict(
            double_z=True,
            z_channels=4,
            resolution=64,
            in_channels=3,
            out_ch=3,
            ch=32,
            ch_mult=[1, 2, 2],
            num_res_blocks=1,
            attn_resolutions=[],
        ),
    ),
)
UNCONDITIONAL = dict(
    target='ldm.models.diffusion.ddpm.LatentDiffusion',
    params=dict(
        image_size=16,
        cond_stage_config='__is_unconditional__',
        first_stage_config=FIRST_STAGE,
        unet_config=UNET,
    ),
)


def original(stage=None, unet=None, **params):
    """A model with this condition, and other values of its params."""
    config = copy.deepcopy(UNCONDITIONAL)
    config['params'] |= params
    config['params']['unet_config']['params'] |= unet or {}
    if stage is not None:
        config['params']['cond_stage_config'] = stage
    return config


def attending(dim):
    """Of a denoiser: it attends to tokens."""
    return dict(use_spatial_transformer=True, context_dim=dim)


def encoder(name, **params):
    return dict(target=MODULES + name, params=params)


def test_an_unconditional_model_has_no_condition_and_no_guidance():
    config = model_config(UNCONDITIONAL)
    assert config['type'] == 'LatentDiffusion'
    assert config['conditioner'] == dict(type='Conditioner')
    assert config['guidance'] == dict(type='NoGuidance')
    assert config['image_size'] == 64  # latents of 16, a factor of 4
    assert 'latent_scale' not in config['autoencoder']


def test_layouts_have_a_model_of_their_own_which_is_the_same():
    config = copy.deepcopy(UNCONDITIONAL)
    config['target'] = 'ldm.models.diffusion.ddpm.Layout2ImgDiffusion'
    assert model_config(config) == model_config(UNCONDITIONAL)


def test_the_config_scales_latents():
    config = model_config(original(scale_factor=0.18215))
    assert config['autoencoder']['latent_scale'] == 0.18215


def test_the_weights_of_time_steps_are_learned_where_they_were():
    config = model_config(original(learn_logvar=True, logvar_init=0.5))
    assert config['log_variance'] == dict(type='LearnedLogVariance', init=0.5)


BERT = dict(
    type='TokenTransformer',
    tokenizer=dict(
        type='BertTokens', pretrained='bert-base-uncased', max_length=77
    ),
    vocab_size=30522,
    max_length=77,
    embed_dim=48,
    num_layers=2,
    logits=True,
)
# What is in the yaml file; what else it says; our embedder and guidance.
CONDITIONS = {
    'classes': (
        encoder('ClassEmbedder', embed_dim=48, key='class_label'),
        dict(unet=attending(48), conditioning_key='crossattn'),
        dict(
            type='ClassEmbedder', num_classes=1000, embed_dim=48, null='none'
        ),
        None,
    ),
    'classes, the last of which is none': (
        encoder('ClassEmbedder', embed_dim=48, n_classes=11),
        dict(unet=attending(48), concat_mode=False),
        dict(type='ClassEmbedder', num_classes=11, embed_dim=48, null='last'),
        3.0,
    ),
    'captions': (
        encoder('BERTEmbedder', n_embed=48, n_layer=2, device='cuda'),
        dict(unet=attending(48), conditioning_key='crossattn'),
        BERT,
        5.0,
    ),
    'captions by CLIP': (
        encoder('FrozenCLIPEmbedder'),
        dict(unet=attending(768), conditioning_key='crossattn'),
        read_stage(encoder('FrozenCLIPEmbedder'), 'tokens', None).config,
        7.5,
    ),
    'layouts': (
        encoder(
            'BERTEmbedder',
            n_embed=48,
            n_layer=2,
            vocab_size=8192,
            max_seq_len=92,
            use_tokenizer=False,
        ),
        dict(
            unet=attending(48),
            conditioning_key='crossattn',
            cond_stage_key='coordinates_bbox',
        ),
        {
            **BERT,
            'tokenizer': dict(
                type='LayoutTokens', max_objects=30, vocab_size=8192
            ),
            'vocab_size': 8192,
            'max_length': 92,
        },
        None,
    ),
    'given tokens': (
        encoder('TransformerEmbedder', n_embed=48, n_layer=2, vocab_size=99),
        dict(unet=attending(48), conditioning_key='crossattn'),
        {
            **BERT,
            'tokenizer': dict(type='PrecomputedTokens'),
            'vocab_size': 99,
        },
        None,
    ),
    'semantic maps': (
        encoder(
            'SpatialRescaler', n_stages=2, in_channels=182, out_channels=3
        ),
        dict(unet=dict(in_channels=7)),
        dict(type='SemanticMap', num_classes=182, num_stages=2, embed_dim=3),
        None,
    ),
    'masked images': (
        '__is_first_stage__',
        dict(unet=dict(in_channels=9), concat_mode=True),
        dict(type='MaskedImage', latent_channels=4),
        None,
    ),
    'small images': (
        dict(target='torch.nn.Identity'),
        dict(unet=dict(in_channels=7)),
        dict(type='LowResolution', channels=3),
        None,
    ),
    'neighbours': (
        dict(target='torch.nn.Identity'),
        dict(unet=attending(768), conditioning_key='crossattn'),
        dict(type='PrecomputedFeatures', embed_dim=768),
        None,
    ),
}


@pytest.mark.parametrize('condition', CONDITIONS)
def test_every_condition_has_its_embedder(condition):
    stage, params, embedder, scale = CONDITIONS[condition]
    config = model_config(original(stage, **params))
    conditioner = dict(type='Conditioner', embedders=[embedder])
    expected = dict(type='NoGuidance')
    if scale is not None:
        # What guidance leads away from was trained, and is trained further.
        conditioner['drop_prob'] = 0.1
        expected = dict(type='ClassifierFreeGuidance', scale=scale)
    assert config['conditioner'] == conditioner
    assert config['guidance'] == expected


SMALL = dict(type='LowResolution', channels=3)
MASKED = dict(type='MaskedImage', latent_channels=4)
FEATURES = dict(type='PrecomputedFeatures', embed_dim=48)
CLASS = dict(type='ClassEmbedder', num_classes=1000, embed_dim=48, null='none')


@pytest.mark.parametrize(
    'stage, in_channels, embedders, said',
    [
        (encoder('ClassEmbedder', embed_dim=48), 7, [CLASS, SMALL], True),
        (encoder('ClassEmbedder', embed_dim=48), 9, [CLASS, MASKED], True),
        ('__is_first_stage__', 9, [MASKED, FEATURES], False),
        (
            encoder(
                'SpatialRescaler', n_stages=2, in_channels=182, out_channels=3
            ),
            7,
            [CONDITIONS['semantic maps'][2], FEATURES],
            False,
        ),
        (dict(target='torch.nn.Identity'), 7, [SMALL, FEATURES], True),
    ],
)
def test_a_hybrid_model_is_given_what_its_stage_does_not_yield(
    recwarn, stage, in_channels, embedders, said
):
    unet = dict(in_channels=in_channels, **attending(48))
    config = model_config(original(stage, unet, conditioning_key='hybrid'))
    assert config['conditioner'] == dict(
        type='Conditioner', embedders=embedders
    )
    assert config['guidance'] == dict(type='NoGuidance')
    assert [
        'are taken for a' in str(warning.message) for warning in recwarn
    ] == [True] * said


@pytest.mark.filterwarnings('ignore:.*are taken for')
def test_a_hybrid_model_is_guided_by_what_its_stage_yields():
    config = model_config(
        original(
            encoder('ClassEmbedder', n_classes=11, embed_dim=48),
            unet=dict(in_channels=7, **attending(48)),
            conditioning_key='hybrid',
        )
    )
    assert config['guidance'] == dict(
        type='SlotGuidance', scales=dict(tokens=3.0)
    )
    assert config['conditioner']['drop_prob'] == [0.1, 0.0]


CLASSES = encoder('ClassEmbedder', embed_dim=48)
CROSS = dict(unet=attending(48), conditioning_key='crossattn')


@pytest.mark.filterwarnings('ignore:.*are taken for')
@pytest.mark.parametrize(
    'config, message',
    [
        (
            dict(target='ldm.models.diffusion.ddpm.DDPM', params={}),
            r'DDPM.* cannot be converted; these can: .*LatentDiffusion',
        ),
        (
            dict(target='ldm.models.diffusion.ddpm.LatentInpaintDiffusion'),
            'for inpainting, whose mask .* --only-first-stage',
        ),
        (
            original(
                encoder('FrozenCLIPEmbedder'),
                unet=dict(in_channels=9, **attending(768)),
                conditioning_key='hybrid',
            ),
            'for inpainting, whose mask .* --only-first-stage',
        ),
        (dict(params={}), 'target=None cannot be converted'),
        (
            dict(
                target='ldm.models.autoencoder.IdentityFirstStage', params={}
            ),
            r"without weights: write autoencoder=dict\(type='IdentityAuto",
        ),
        (
            dict(target=UNCONDITIONAL['target']),
            'params.first_stage_config is missing',
        ),
        (original(shift=3), 'params.shift=3 is not known'),
        (original(num_timesteps_cond=2), 'num_timesteps_cond=2 .* only 1 has'),
        (original(logvar_init=1.0), 'logvar_init=1.0 without learn_logvar'),
        (
            original(parameterization='z'),
            "parameterization='z' has no counterpart",
        ),
        (
            original(dict(target='my.Encoder'), **CROSS),
            "cond_stage_config.target='my.Encoder' cannot .*BERTEmbedder",
        ),
        (
            original(CLASSES, unet=attending(48), conditioning_key='adm'),
            "key='adm' is not supported: only 'concat', 'crossattn', 'hybrid'",
        ),
        (
            original(CLASSES, unet=attending(48), conditioning_key='hybrid'),
            'in_channels leaves 0 channels for spatial: take the yaml file',
        ),
        (
            original(
                CLASSES,
                unet=dict(in_channels=10, **attending(48)),
                conditioning_key='hybrid',
            ),
            'concatenates 6 channels that the config does not name: only 1',
        ),
        (
            original(
                dict(target='torch.nn.Identity'),
                unet=dict(in_channels=7),
                conditioning_key='hybrid',
            ),
            'context_dim leaves 0 channels for tokens: take the yaml file',
        ),
        (
            original(CLASSES, unet=attending(48)),
            'yields tokens, .* conditioning_key, which asks for spatial',
        ),
        (
            original(CLASSES, conditioning_key='crossattn'),
            'context_dim leaves 0 channels for tokens, but .* yields 48',
        ),
        (
            original(
                CLASSES, unet=attending(64), conditioning_key='crossattn'
            ),
            'context_dim leaves 64 channels for tokens, but .* yields 48',
        ),
        (
            original('__is_first_stage__', unet=dict(in_channels=7)),
            'in_channels leaves 3 channels for spatial, but .* yields 5',
        ),
        (
            original(unet=dict(in_channels=5)),
            'in_channels leaves 1 channels for spatial, but .* yields 0',
        ),
        (
            original(encoder('ClassEmbedder', n_classes=3), **CROSS),
            '^params.cond_stage_config.params.embed_dim is missing',
        ),
        (
            original(first_stage_config=encoder('VQModel')),
            "^params.first_stage_config.target='ldm.modules.*VQModel' cannot",
        ),
        (
            original(unet=dict(dims=3)),
            '^params.unet_config.params.dims=3 has no counterpart here: o',
        ),
        (
            original(encoder('SpatialRescaler'), unet=dict(in_channels=7)),
            'config.params.out_channels is missing, and a SpatialRescaler wi',
        ),
        (
            original(
                encoder('SpatialRescaler', out_channels=3, method='nearest'),
                unet=dict(in_channels=7),
                cond_stage_key='segmentation',
            ),
            "method='nearest' has no counterpart here: only 'bilinear'",
        ),
        (
            original(
                encoder('BERTEmbedder', n_embed=48, n_layer=2, heads=3),
                **CROSS,
            ),
            'params.heads=3 is not known',
        ),
    ],
)
def test_what_cannot_be_expressed_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        model_config(config)


ODD = (None, 'a', '4', [], {}, -1, 0, 2.5, [1], [[1]], True, {'target': ['a']})
# Said again by another key, or read by the original's training alone.
UNREAD = {'image_size', 'key', 'cond_stage_key', 'device'}


def with_odd_values(config):
    """The config with each of its values, in turn, as each odd one."""
    for key, value in config.items():
        for odd in () if key in UNREAD else ODD:
            yield config | {key: odd}
        if isinstance(value, dict):
            for inner in with_odd_values(value):
                yield config | {key: inner}


@pytest.mark.parametrize('condition', ['layouts', 'semantic maps'])
def test_an_odd_value_is_refused_or_makes_a_model(condition):
    """No error but one that says what is wrong; here, no network is built."""
    stage, params, *_ = CONDITIONS[condition]
    refused = []
    for config in with_odd_values(original(stage, **params)):
        try:
            model_config(config)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 250
    assert sum('must be' in message for message in refused) > 200


@pytest.mark.parametrize(
    'config, message',
    [
        (
            original(unet=dict(num_heads='4')),
            "^params.unet_config.params.num_heads='4' must be a whole number "
            'from 1 to 999999, or -1: take the yaml',
        ),
        (
            original(unet=dict(channel_mult=[])),
            r'channel_mult=\[\] must be a list of 1 or more, each',
        ),
        (original(first_stage_config=None), 'config=None must be a dict:'),
        (original(linear_start='x'), "start='x' must be a number above 0"),
        (
            original(given_betas=['x']),
            'betas=.* must be a list of 0 or more, each a number',
        ),
        (original(learn_logvar='no'), "='no' must be true or false"),
        (original(image_size=[16, 16]), 'params.image_size=.* whole number'),
        (dict(target=['a']), r"^target=\['a'\] must be a word"),
    ],
)
def test_the_key_is_named_whose_value_is_of_another_kind(config, message):
    with pytest.raises(ValueError, match=message):
        model_config(config)
