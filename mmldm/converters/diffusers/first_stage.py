"""First stages of diffusers: configs and weights, both ways.

Names and defaults are those of ``AutoencoderKL`` and ``VQModel`` in diffusers
0.42.
"""

from collections.abc import Mapping
from typing import Any

from mmldm.models.autoencoders import ConvAutoencoder
from mmldm.models.autoencoders.diffusers_scale import scale_and_shift
from mmldm.models.layers import ResBlock, SelfAttention2d, VectorQuantizer

from ..first_stage_names import DIFFUSERS, QUANTIZER, first_stage_names
from ..key_mapping import JSON, KeyMapping
from ..key_table import Key, KeyTable, fixed, ignored
from ..kinds import BOOL, COUNT, NUMBER, POSITIVE, either, list_of
from .levels import HARMLESS, REMEDY, Blocks, arguments, class_name
from .weights import ATTENTION, modern_weights

KINDS = {'AutoencoderKL': 'AutoencoderKL', 'VQModel': 'AutoencoderVQ'}
OTHERS = (
    '. Other autoencoders of diffusers work as they are, '
    "model.autoencoder=dict(type='DiffusersAutoencoder', pretrained=FOLDER)"
)
BLOCKS = Blocks(
    ('DownEncoderBlock2D', 'AttnDownEncoderBlock2D'),
    ('UpDecoderBlock2D', 'AttnUpDecoderBlock2D'),
)
BY_CHANNEL = either(list_of(NUMBER), None)
COMMON = (
    *HARMLESS,
    *BLOCKS.keys([0], [64]),
    Key('layers_per_block', 'num_res_blocks', COUNT, 1),
    Key('norm_num_groups', 'norm_groups', COUNT, 32),
    Key('mid_block_add_attention', 'mid_attention', BOOL, True),
    *fixed(
        {
            'act_fn': ('silu', 'swish'),
            'in_channels': 3,
            'norm_type': 'group',
            'out_channels': 3,
        }
    ),
    # Precision, and a kind of decoding that no latent diffusion pipeline
    # uses.
    *ignored('force_upcast lookup_from_codebook'),
)
TABLES = {
    'AutoencoderKL': KeyTable(
        Key('latent_channels', 'latent_channels', COUNT, 4),
        Key('scaling_factor', 'latent_scale', POSITIVE, 0.18215),
        Key('shift_factor', 'latent_shift', either(NUMBER, None), None),
        Key('latents_mean', '', BY_CHANNEL, None),
        Key('latents_std', '', BY_CHANNEL, None),
        Key('use_quant_conv', 'quant_conv', BOOL, True),
        Key('use_post_quant_conv', 'post_quant_conv', BOOL, True),
        *COMMON,
        remedy=REMEDY,
    ),
    'VQModel': KeyTable(
        Key('latent_channels', 'z_channels', COUNT, 3),
        Key('vq_embed_dim', 'latent_channels', either(COUNT, None), None),
        Key('num_vq_embeddings', 'quantizer.num_codes', COUNT, 256),
        # diffusers' default, 0.18215, does not apply to codebooks: files
        # without the key are older, and their latents are not scaled.
        Key('scaling_factor', 'latent_scale', POSITIVE, 1.0),
        *fixed(
            {
                'latents_mean': None,
                'latents_std': None,
                'shift_factor': (None, 0),
                'use_post_quant_conv': True,
                'use_quant_conv': True,
            }
        ),
        *COMMON,
        remedy=REMEDY,
    ),
}


def first_stage_from_diffusers_config(
    theirs: Mapping[str, Any],
) -> dict[str, Any]:
    """Our config for the ``config.json`` of a first stage.

    Raises:
        ValueError: If it is no first stage, a key is unknown, or a value
            has no counterpart in our networks.
    """
    name = class_name(theirs, KINDS, 'a first stage', OTHERS)
    given = TABLES[name].read(f'{name}.', theirs)
    config = dict(type=KINDS[name], **given.ours, **BLOCKS.read(given))
    if name == 'VQModel':
        config['quantizer'] |= QUANTIZER
        if config['latent_channels'] in (None, config['z_channels']):
            config['latent_channels'] = config.pop('z_channels')
        return config
    scale, shift = scale_and_shift(given)
    return config | dict(latent_scale=scale, latent_shift=shift)


def first_stage_to_diffusers_config(
    config: Mapping[str, Any],
    scale: Mapping[str, Any] | None = None,
    sample_size: int = 256,
) -> dict[str, Any]:
    """The ``config.json`` for a first stage of ours.

    Args:
        config: Config of ``AutoencoderKL`` or ``AutoencoderVQ``.
        scale: Keys for the scale and shift of the trained model's latents,
            see ``scale_keys``; None for no scale.
        sample_size: Side of the training images, pixels.

    Raises:
        ValueError: If diffusers has no such network.
    """
    name = first_stage_class(config)
    args = arguments(ConvAutoencoder, config)
    _check(args)
    args['z_channels'] = args['z_channels'] or args['latent_channels']
    said = 'in_channels', 'out_channels', 'act_fn'
    return dict(
        _class_name=name,
        sample_size=sample_size,
        **BLOCKS.write(args),
        **TABLES[name].write(args, *said)
        | {'scaling_factor': 1.0, **(scale or {})},
    )


def first_stage_class(config: Mapping[str, Any]) -> str:
    """The class of diffusers for a first stage of ours.

    Raises:
        ValueError: If there is none.
    """
    kinds = {ours: theirs for theirs, ours in KINDS.items()}
    if config['type'] not in kinds:
        raise ValueError(
            f'autoencoder.type={config["type"]!r} has no counterpart in '
            f'diffusers; these have: {", ".join(kinds)}'
        )
    return kinds[config['type']]


def _check(args: Mapping[str, Any]) -> None:
    """Raise if diffusers has no such network."""
    for skip in ('image_skip', 'block_skip'):
        if args[skip]:
            raise ValueError(
                f'autoencoder.{skip}=True has no counterpart in diffusers: '
                'train with starts_as_resizing=True instead for diffusers'
            )
    if args.get('quantizer', {}).get('normalize'):
        raise ValueError(
            'autoencoder.quantizer.normalize=True has no counterpart in '
            'diffusers, whose codes have any length'
        )
    dim, z_channels = args['latent_channels'], args['z_channels']
    if 'quantizer' in args and not (
        args['quant_conv'] and args['post_quant_conv']
    ):
        raise ValueError(
            'autoencoder.quant_conv=False or post_quant_conv=False with a '
            'codebook has no counterpart in diffusers, whose VQModel has '
            'both 1x1 convolutions: train with them'
        )
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
