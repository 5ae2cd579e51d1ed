"""First stages of diffusers: configs and weights, both ways.

Names and defaults are those of ``AutoencoderKL`` and ``VQModel`` in diffusers
0.42.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mmldm.models.autoencoders import Autoencoder, ConvAutoencoder
from mmldm.models.layers import ResBlock, SelfAttention2d, VectorQuantizer

from ..dialect import Dialect, pairs_of
from ..first_stage_parts import Part, first_stage_names
from ..pairs import check_weights, to_ours, to_theirs, without_memory
from .params import Params, arguments, factors
from .weights import ATTENTION, REMEDY, modern_weights

KINDS = {'AutoencoderKL': 'AutoencoderKL', 'VQModel': 'AutoencoderVQ'}
DEFAULTS = dict(
    down_block_types=('DownEncoderBlock2D',),
    up_block_types=('UpDecoderBlock2D',),
    block_out_channels=(64,),
    layers_per_block=1,
    norm_num_groups=32,
    mid_block_add_attention=True,
)
DEFAULTS_OF = {
    'AutoencoderKL': dict(latent_channels=4, scaling_factor=0.18215),
    # Of diffusers' default, 0.18215, no codebook knows: files without the
    # key are older than it, and all of those have latents as they are.
    'VQModel': dict(
        latent_channels=3, num_vq_embeddings=256, scaling_factor=1.0
    ),
}
BLOCKS = {'DownEncoderBlock2D': False, 'AttnDownEncoderBlock2D': True}
# The values that our networks have.
FIXED = {
    'act_fn': ('silu', 'swish'),
    'in_channels': (3,),
    'latents_mean': (None,),
    'latents_std': (None,),
    'norm_type': ('group',),
    'out_channels': (3,),
    'shift_factor': (None, 0),
    'use_post_quant_conv': (True,),
    'use_quant_conv': (True,),
}
# Precision, and a way of decoding that no pipeline of latent diffusion uses.
IGNORED = {'force_upcast', 'lookup_from_codebook'}
# What all published codebooks were trained with, and diffusers' are.
QUANTIZER = dict(beta=0.25, legacy_beta=True)


def first_stage_from_diffusers_config(
    theirs: Mapping[str, Any],
) -> dict[str, Any]:
    """Our config of the first stage that a ``config.json`` describes.

    Args:
        theirs: Its content.

    Raises:
        ValueError: If it is no first stage, a key is not known, or a value
            asks for what our networks have not.
    """
    name = theirs.get('_class_name')
    if name not in KINDS:
        raise ValueError(
            f'_class_name={name!r} cannot be converted as a first stage; '
            f'these can: {", ".join(KINDS)}'
        )
    params = Params(name, theirs, DEFAULTS | DEFAULTS_OF[name])
    attends = params.levels(BLOCKS, 'Decoder')
    channels, mults = params.widths(len(attends))
    z_channels = params.take('latent_channels')
    config = dict(
        type=KINDS[name],
        latent_channels=z_channels,
        channels=channels,
        channel_mults=mults,
        num_res_blocks=params.take('layers_per_block'),
        attn_factors=factors(attends),
        mid_attention=params.take('mid_block_add_attention'),
        norm_groups=params.take('norm_num_groups'),
        latent_scale=params.take('scaling_factor'),
    )
    if name == 'VQModel':
        dim = params.take('vq_embed_dim')
        if dim not in (None, z_channels):
            config |= dict(latent_channels=dim, z_channels=z_channels)
        config['quantizer'] = dict(
            num_codes=params.take('num_vq_embeddings'), **QUANTIZER
        )
    params.finish(FIXED, IGNORED)
    return config


def first_stage_to_diffusers_config(
    config: Mapping[str, Any], scale: float = 1.0, sample_size: int = 256
) -> dict[str, Any]:
    """The ``config.json`` of the first stage that a config of ours describes.

    Args:
        config: Of ``AutoencoderKL`` or ``AutoencoderVQ``.
        scale: Of the trained model's latents, see ``latent_scale``.
        sample_size: Pixels a side of the images it was trained on.

    Raises:
        ValueError: If diffusers has no such network.
    """
    kinds = {ours: theirs for theirs, ours in KINDS.items()}
    if config['type'] not in kinds:
        raise ValueError(
            f'autoencoder.type={config["type"]!r} has no counterpart in '
            f'diffusers; these have: {", ".join(kinds)}'
        )
    args = arguments(ConvAutoencoder, config)
    _check(args)
    mults = args['channel_mults']
    attends = [2**i in args['attn_factors'] for i in range(len(mults))]
    dim = args['latent_channels']
    theirs = dict(
        _class_name=kinds[config['type']],
        in_channels=3,
        out_channels=3,
        down_block_types=_blocks('DownEncoder', attends),
        up_block_types=_blocks('UpDecoder', attends[::-1]),
        block_out_channels=[args['channels'] * mult for mult in mults],
        layers_per_block=args['num_res_blocks'],
        act_fn='silu',
        latent_channels=args['z_channels'] or dim,
        norm_num_groups=args['norm_groups'],
        sample_size=sample_size,
        scaling_factor=scale,
        mid_block_add_attention=args['mid_attention'],
    )
    if 'quantizer' in args:
        theirs |= dict(
            num_vq_embeddings=args['quantizer']['num_codes'], vq_embed_dim=dim
        )
    return theirs


def _blocks(kind: str, attends: Sequence[bool]) -> list[str]:
    return [f'{"Attn" if a else ""}{kind}Block2D' for a in attends]


def _check(args: Mapping[str, Any]) -> None:
    """Raise where diffusers has no such network."""
    if args['thumbnail']:
        raise ValueError(
            'autoencoder.thumbnail=True has no counterpart in diffusers: '
            'train with starts_as_resizing=True in its place what is to be '
            'used there'
        )
    if args.get('quantizer', {}).get('normalize'):
        raise ValueError(
            'autoencoder.quantizer.normalize=True has no counterpart in '
            'diffusers, whose codes have any length'
        )
    dim, z_channels = args['latent_channels'], args['z_channels']
    if 'quantizer' not in args and z_channels not in (None, dim):
        raise ValueError(
            f'autoencoder.z_channels={z_channels} has no counterpart in '
            f'AutoencoderKL of diffusers, where they are the {dim} '
            'latent_channels'
        )


def first_stage_to_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of ours under diffusers' names and in its shapes.

    Scale and shift of latents are not in it; see ``latent_scale.py``.

    Args:
        weights: Of a first stage that was built from ``config``.
        config: Of ``AutoencoderKL`` or ``AutoencoderVQ``.
    """
    return to_theirs(weights, pairs_of(without_memory(config), DIFFUSERS))


def first_stage_from_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The way back: all that a model of ``config`` loads.

    Args:
        weights: By name, today's or as before diffusers 0.13.
        config: As of :func:`first_stage_from_diffusers_config`.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    model = without_memory(config)
    pairs = pairs_of(model, DIFFUSERS)
    weights = modern_weights(weights)
    check_weights(weights, pairs, remedy=REMEDY)
    measured = dict(model.named_buffers(recurse=False))  # scale and shift
    return measured | to_ours(weights, pairs)


def _module_names(model: Autoencoder) -> dict[str, str]:
    """Parts of our first stage, and their names there."""
    last = model.factor.bit_length() - 1

    def name(part: Part) -> str:
        if part.side == 'encoder':
            level, resample = f'down_blocks.{part.level}', 'downsamplers.0'
        else:
            level, resample = f'up_blocks.{last - part.level}', 'upsamplers.0'
        return {
            'block': f'{level}.resnets.{part.index}',
            'attention': f'{level}.attentions.{part.index}',
            'resample': f'{level}.{resample}',
            'mid_block': f'mid_block.resnets.{part.index}',
            'mid_attention': 'mid_block.attentions.0',
            'norm_out': 'conv_norm_out',
        }.get(part.kind, part.kind)

    return first_stage_names(
        model,
        name,
        {
            'quant_conv': 'quant_conv',
            'post_quant_conv': 'post_quant_conv',
            'quantizer': 'quantize',
        },
    )


DIFFUSERS = Dialect(
    modules=_module_names,
    inner={
        ResBlock: {'skip': 'conv_shortcut'},
        SelfAttention2d: ATTENTION,
        VectorQuantizer: {'codebook': 'embedding.weight'},
    },
    pointwise={},
)
