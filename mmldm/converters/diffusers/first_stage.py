"""First stages of diffusers: configs and weights, both ways.

Names and defaults are those of ``AutoencoderKL`` and ``VQModel`` in diffusers
0.42.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmldm.models.autoencoders import ConvAutoencoder
from mmldm.models.layers import ResBlock, SelfAttention2d, VectorQuantizer

from ..first_stage_names import DIFFUSERS, first_stage_names
from ..key_mapping import JSON, KeyMapping
from .params import Params, arguments, factors
from .weights import ATTENTION, modern_weights

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


FIRST_STAGE_KEYS = KeyMapping(
    modules=first_stage_names(DIFFUSERS),
    inner={
        ResBlock: {'skip': 'conv_shortcut'},
        SelfAttention2d: ATTENTION,
        VectorQuantizer: {'codebook': 'embedding.weight'},
    },
    today=modern_weights,
    remedy=JSON,
)
