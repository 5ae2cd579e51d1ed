"""First stages of the original code of Rombach et al. 2022.

Configs and weights of ``ldm/models/autoencoder.py`` as ours, and weights back;
names and defaults are those of github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from mmldm.models.autoencoders import Autoencoder
from mmldm.models.layers import ResBlock, SelfAttention2d, VectorQuantizer

from ..dialect import Dialect, pairs_of
from ..first_stage_parts import Part, first_stage_names
from ..pairs import check_weights, to_ours, to_theirs, without_memory
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


def first_stage_weights(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of the original under our names and in our shapes.

    With the scale and shift of latents that ``config`` has, the result is
    all that the model loads. What ``LEFT_OUT`` lists is not in it.

    Args:
        weights: By name in the original's ``AutoencoderKL`` or ``VQModel``.
        config: As of :func:`first_stage_config`; ``latent_scale``, which
            the original keeps in its diffusion models, may be added.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    model = without_memory(config)
    pairs = pairs_of(model, COMPVIS)
    check_weights(weights, pairs, tuple(LEFT_OUT))
    measured = dict(model.named_buffers(recurse=False))  # scale and shift
    return measured | to_ours(weights, pairs)


def first_stage_to_compvis(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The way back: all that the original's first stage loads.

    Scale and shift of latents are not in it: the original's first stages
    have none.

    Args:
        weights: Of a model that was built from ``config``, by name.
        config: As of :func:`first_stage_config`.
    """
    return to_theirs(weights, pairs_of(without_memory(config), COMPVIS))


def _module_names(model: Autoencoder) -> dict[str, str]:
    """Parts of our first stage, and their names there."""
    return first_stage_names(
        model,
        _name,
        {
            'quant_conv': 'quant_conv',
            'post_quant_conv': 'post_quant_conv',
            'quantizer': 'quantize',
        },
    )


def _name(part: Part) -> str:
    """What a part is called in its encoder or decoder."""
    down = part.side == 'encoder'
    level = f'{"down" if down else "up"}.{part.level}'
    return {
        'block': f'{level}.block.{part.index}',
        'attention': f'{level}.attn.{part.index}',
        'resample': f'{level}.{"downsample" if down else "upsample"}',
        'mid_block': f'mid.block_{part.index + 1}',
        'mid_attention': 'mid.attn_1',
    }.get(part.kind, part.kind)


COMPVIS = Dialect(
    modules=_module_names,
    inner={
        ResBlock: {'skip': 'nin_shortcut'},
        SelfAttention2d: {'qkv': ('q', 'k', 'v'), 'out': 'proj_out'},
        VectorQuantizer: {'codebook': 'embedding.weight'},
    },
    pointwise={
        (SelfAttention2d, 'qkv.weight'): 2,
        (SelfAttention2d, 'out.weight'): 2,
    },
)
