"""First stages of the original code of Rombach et al. 2022.

Configs and weights of ``ldm/models/autoencoder.py`` as ours, and weights back;
names and defaults are those of github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmldm.models.layers import ResBlock, SelfAttention2d, VectorQuantizer

from ..first_stage_names import COMPVIS, first_stage_names
from ..key_mapping import KeyMapping
from .params import check_required, check_rest

TARGETS = {
    'ldm.models.autoencoder.AutoencoderKL': 'AutoencoderKL',
    'ldm.models.autoencoder.VQModel': 'AutoencoderVQ',
    'ldm.models.autoencoder.VQModelInterface': 'AutoencoderVQ',
    'ldm.models.autoencoder.IdentityFirstStage': 'IdentityAutoencoder',
}
# For training, logs and interfaces: whatever they say, images and latents of
# a trained model are the same.
IGNORED = {
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
}
# The one value that our networks have.
FIXED = {
    'remap': None,
    'ddconfig.give_pre_end': False,
    'ddconfig.in_channels': 3,
    'ddconfig.out_ch': 3,
    'ddconfig.resamp_with_conv': True,
    'ddconfig.tanh_out': False,
    'ddconfig.use_linear_attn': False,
}
REQUIRED = (
    'embed_dim',
    'ddconfig.attn_resolutions',
    'ddconfig.ch',
    'ddconfig.num_res_blocks',
    'ddconfig.resolution',
    'ddconfig.z_channels',
)
# What all published codebooks were trained with.
QUANTIZER = dict(beta=0.25, legacy_beta=True)

# Weights without a place in a first stage, by the start of their name.
LEFT_OUT = {
    'loss.': 'of the training loss: LPIPS, discriminator, log-variance',
    'model_ema.': 'a running average; the weights themselves are taken',
    'colorize': 'colours of pictures in the log',
}


def first_stage_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the network that a config of the original describes.

    Args:
        original: ``target`` and ``params``, as under ``model`` in a yaml
            file of the original, or under ``first_stage_config`` of a
            diffusion model.

    Raises:
        ValueError: If it is no first stage, a key is missing or not known,
            or a value asks for what our networks have not.
    """
    target = original.get('target')
    if target not in TARGETS:
        raise ValueError(
            f'target={target!r} cannot be converted; these can: '
            f'{", ".join(TARGETS)}'
        )
    kind = TARGETS[target]
    params = dict(_flat(original.get('params') or {}))
    config = dict(type=kind)
    if kind != 'IdentityAutoencoder':
        codes = ['n_embed'] * (kind == 'AutoencoderVQ')
        check_required(params, (*REQUIRED, *codes))
        config |= _network(params, kind)
    check_rest(params, FIXED, IGNORED)
    return config


def _flat(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys of ``ddconfig`` as 'ddconfig.KEY' among the others."""
    for key, value in params.items():
        if key == 'ddconfig':
            yield from ((f'{key}.{k}', v) for k, v in value.items())
        else:
            yield key, value


def _network(params: dict[str, Any], kind: str) -> dict[str, Any]:
    """Our arguments, the keys that say them taken out of ``params``."""
    _check_moments(params.pop('ddconfig.double_z', True), kind)
    channels = params.pop('embed_dim')
    mults = tuple(params.pop('ddconfig.ch_mult', (1, 2, 4, 8)))
    attn_factors = _attn_factors(
        params.pop('ddconfig.resolution'),
        params.pop('ddconfig.attn_resolutions'),
        2 ** (len(mults) - 1),
    )
    attention = _has_attention(params.pop('ddconfig.attn_type', 'vanilla'))
    config = dict(
        latent_channels=channels,
        channels=params.pop('ddconfig.ch'),
        channel_mults=mults,
        num_res_blocks=params.pop('ddconfig.num_res_blocks'),
        attn_factors=attn_factors if attention else (),
        mid_attention=attention,
    )
    z_channels = params.pop('ddconfig.z_channels')
    if z_channels != channels:
        config['z_channels'] = z_channels
    if kind == 'AutoencoderVQ':
        config['quantizer'] = dict(
            num_codes=params.pop('n_embed'), **QUANTIZER
        )
    return config


def _check_moments(double_z: bool, kind: str) -> None:
    """Raise unless the encoder yields what the kind of model reads."""
    if double_z != (kind == 'AutoencoderKL'):
        raise ValueError(
            f'params.ddconfig.double_z={double_z} does not suit {kind}: mean '
            'and log-variance are of KL models, and of those alone'
        )


def _attn_factors(
    resolution: int, attn_resolutions: Sequence[int], factor: int
) -> tuple[int, ...]:
    """Downsampling factors of the levels whose size is in the list.

    Sizes that no level has are in some published configs, and do nothing.
    """
    if attn_resolutions and resolution % factor:
        raise ValueError(
            f'params.ddconfig.resolution={resolution} is not divisible by '
            f'the downsampling factor {factor}: sizes of encoder and decoder '
            f'differ, so attn_resolutions={list(attn_resolutions)} does not '
            'say the same of both'
        )
    factors = [2**level for level in range(factor.bit_length())]
    return tuple(f for f in factors if resolution // f in attn_resolutions)


def _has_attention(attn_type: str) -> bool:
    if attn_type not in ('vanilla', 'none'):
        raise ValueError(
            f'params.ddconfig.attn_type={attn_type!r} is not supported: only '
            "'vanilla' and 'none' are"
        )
    return attn_type == 'vanilla'


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
)
