"""First stages of the original code of Rombach et al. 2022.

Converts ``ldm/models/autoencoder.py``, and weights back; names and defaults
are those of github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mmldm.models.layers import ResBlock, SelfAttention2d, VectorQuantizer

from ..first_stage_names import COMPVIS, QUANTIZER, first_stage_names
from ..key_mapping import KeyMapping
from ..key_table import UNSAID, Given, Key, KeyTable, fixed, ignored
from ..kinds import BOOL, COUNT, DICT, WORD, list_of
from .first_stage_aliases import usual_names
from .params import PARAMS, REMEDY, target_and_params

TARGETS = {
    'ldm.models.autoencoder.AutoencoderKL': 'AutoencoderKL',
    'ldm.models.autoencoder.VQModel': 'AutoencoderVQ',
    'ldm.models.autoencoder.VQModelInterface': 'AutoencoderVQ',
    'ldm.models.autoencoder.IdentityFirstStage': 'IdentityAutoencoder',
}
# Whether a type of attention attends, in levels and in the middle.
ATTENTION = {'vanilla': True, 'none': False}
# Keys that do not change images and latents of a trained model.
COMMON = (
    *fixed(
        {
            'remap': None,
            'ddconfig.give_pre_end': False,
            'ddconfig.in_channels': 3,
            'ddconfig.out_ch': 3,
            'ddconfig.resamp_with_conv': True,
            'ddconfig.tanh_out': False,
            'ddconfig.use_linear_attn': False,
        }
    ),
    # Keys for training, logs and interfaces.
    *ignored(
        'batch_resize_range ckpt_path colorize_nlabels ddconfig.dropout '
        'ignore_keys image_key lossconfig lr_g_factor monitor '
        'sane_index_shape scheduler_config use_ema vq_interface'
    ),
    Key('ddconfig', kind=DICT, default=UNSAID),
)
NETWORK = (
    Key('embed_dim', 'latent_channels', COUNT),
    Key('ddconfig.attn_resolutions', '', list_of(COUNT, least=0)),
    Key('ddconfig.attn_type', 'mid_attention', WORD, 'vanilla', ATTENTION),
    Key('ddconfig.ch', 'channels', COUNT),
    Key('ddconfig.ch_mult', 'channel_mults', list_of(COUNT), (1, 2, 4, 8)),
    Key('ddconfig.double_z', '', BOOL, True),
    Key('ddconfig.num_res_blocks', 'num_res_blocks', COUNT),
    Key('ddconfig.resolution', '', COUNT),
    Key('ddconfig.z_channels', 'z_channels', COUNT),
    # In no yaml file; see first_stage_shapes.py.
    Key('use_quant_conv', 'quant_conv', BOOL, UNSAID),
    Key('use_post_quant_conv', 'post_quant_conv', BOOL, UNSAID),
    *COMMON,
)
TABLES = {
    'AutoencoderKL': KeyTable(*NETWORK, remedy=REMEDY),
    'AutoencoderVQ': KeyTable(
        Key('n_embed', 'quantizer.num_codes', COUNT), *NETWORK, remedy=REMEDY
    ),
    'IdentityAutoencoder': KeyTable(*COMMON, remedy=REMEDY),
}

# Weights that a first stage does not need, by prefix, with the reason.
LEFT_OUT = {
    'loss.': 'of the training loss: LPIPS, discriminator, log-variance',
    'model_ema.': 'a running average; the weights themselves are taken',
    'colorize': 'colours of pictures in the log',
}


def first_stage_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The config of our network for a config of the original.

    Args:
        original: ``target`` and ``params``, as under ``model`` in a yaml
            file of the original, or under ``first_stage_config`` of a
            diffusion model.

    Raises:
        ValueError: If it is no first stage, a key is missing or unknown, or
            a value has no counterpart in our networks.
    """
    target, params = target_and_params(original, TARGETS)
    kind = TARGETS[target]
    given = TABLES[kind].read(PARAMS, dict(_flat(params)))
    if kind == 'IdentityAutoencoder':
        return dict(type=kind)
    if given['ddconfig.double_z'] != (kind == 'AutoencoderKL'):
        raise given.refusal(
            'ddconfig.double_z',
            f'does not suit {kind}: mean and log-variance are of KL models, '
            'and of those alone',
        )
    config = given.ours
    config['attn_factors'] = _attn_factors(given)
    if config['z_channels'] == config['latent_channels']:
        del config['z_channels']
    if kind == 'AutoencoderVQ':
        config['quantizer'] |= QUANTIZER
    return dict(type=kind, **config)


def _flat(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All keys, with those of ``ddconfig`` as 'ddconfig.KEY'."""
    for key, value in params.items():
        if key == 'ddconfig' and isinstance(value, Mapping):
            yield from ((f'{key}.{k}', v) for k, v in value.items())
        else:
            yield key, value


def _attn_factors(given: Given) -> tuple[int, ...]:
    """Downsampling factors of the levels whose size is in the list.

    Some published configs have sizes of no level, which have no effect.
    """
    resolution = given['ddconfig.resolution']
    sizes = given['ddconfig.attn_resolutions']
    factors = [2**i for i in range(len(given.ours['channel_mults']))]
    if sizes and resolution % factors[-1]:
        raise given.refusal(
            'ddconfig.resolution',
            f'is not divisible by the downsampling factor {factors[-1]}: '
            'sizes of encoder and decoder differ, so attn_resolutions='
            f'{list(sizes)} does not say the same of both',
        )
    attends = given.ours['mid_attention']
    return tuple(f for f in factors if attends and resolution // f in sizes)


FIRST_STAGE_KEYS = KeyMapping(
    modules=first_stage_names(COMPVIS),
    inner={
        ResBlock: {'skip': 'nin_shortcut'},
        SelfAttention2d: {'qkv': ('q', 'k', 'v'), 'out': 'proj_out'},
        VectorQuantizer: {'codebook': 'embedding.weight'},
    },
    pointwise={
        (SelfAttention2d, 'qkv.weight'): 2,
        (SelfAttention2d, 'out.weight'): 2,
    },
    left_out=LEFT_OUT,
    today=usual_names,
)
