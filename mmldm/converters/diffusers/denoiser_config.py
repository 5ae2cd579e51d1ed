"""Configs of the UNets of diffusers as ours, and ours as theirs."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.layers.resnet import NUM_GROUPS

from ..key_mapping import without_memory
from .denoiser_keys import BLOCKS, DEFAULTS, FIXED, IGNORED
from .params import Params, arguments, factors


def denoiser_from_diffusers_config(
    theirs: Mapping[str, Any],
) -> dict[str, Any]:
    """Our config of the UNet that a ``config.json`` describes.

    Args:
        theirs: Its content.

    Raises:
        ValueError: If it is no UNet, a key is not known, or a value asks for
            what our network has not.
    """
    name = theirs.get('_class_name')
    if name not in DEFAULTS:
        raise ValueError(
            f'_class_name={name!r} cannot be converted as a denoiser; these '
            f'can: {", ".join(DEFAULTS)}'
        )
    params = Params(name, theirs, DEFAULTS[name])
    attends = params.levels(BLOCKS[name])
    channels, mults = params.widths(len(attends))
    config = dict(
        type='DenoisingUNet',
        in_channels=params.take('in_channels'),
        out_channels=params.take('out_channels'),
        channels=channels,
        channel_mults=mults,
        num_res_blocks=_one(params, 'layers_per_block'),
        attn_factors=factors(attends),
        attention=_attention(
            params, [channels * mult for mult in mults], _in_use(attends)
        ),
        res_block=dict(
            dropout=params.take('dropout'), scale_shift=_scale_shift(params)
        ),
        context_dim=_one(params, 'cross_attention_dim'),
    )
    params.finish(FIXED, IGNORED)
    return config


def _one(params: Params, key: str) -> Any:
    """A number that may be given for each level, but is one."""
    value = params.take(key)
    if not isinstance(value, Sequence):
        return value
    if len(set(value)) > 1:
        raise params.refusal(
            key, list(value), 'has no counterpart here: only one for all has'
        )
    return value[0]


def _in_use(attends: Sequence[bool]) -> list[bool]:
    """Levels whose heads count: the lowest is that of the middle too."""
    return [*attends[:-1], True]


def _attention(
    params: Params, widths: Sequence[int], used: Sequence[bool]
) -> dict[str, Any]:
    """Heads and depth; a key of one name counts heads or their channels."""
    value = params.take('attention_head_dim')
    if params.part == 'UNet2DModel':
        if value is None:
            return dict(num_heads=1)
        return dict(head_channels=value)
    depth = _one(params, 'transformer_layers_per_block')
    # Here it is, against its name, the number of heads.
    if not isinstance(value, Sequence):
        return dict(num_heads=value, depth=depth)
    if len(value) != len(widths):
        raise params.refusal(
            'attention_head_dim', list(value), 'is not one a block'
        )
    heads = [*compress(value, used)]
    sizes = {w / h for w, h in zip(compress(widths, used), heads, strict=True)}
    if len(sizes) == 1 and (size := sizes.pop()) % 1 == 0:
        return dict(head_channels=int(size), depth=depth)
    if len(set(heads)) == 1:
        return dict(num_heads=heads[0], depth=depth)
    raise params.refusal(
        'attention_head_dim',
        list(value),
        f'has no counterpart here: of levels with {list(widths)} channels '
        'neither the number of heads is one, nor their width',
    )


def _scale_shift(params: Params) -> bool:
    """Whether the time embedding scales and shifts."""
    value = params.take('resnet_time_scale_shift')
    if value not in ('default', 'scale_shift'):
        raise params.refusal(
            'resnet_time_scale_shift', value, 'has no counterpart here'
        )
    groups = params.take('attn_norm_num_groups')
    conditional = params.part == 'UNet2DConditionModel'
    usual = value == 'default' or conditional
    if groups not in ((None, NUM_GROUPS) if usual else (NUM_GROUPS,)):
        raise params.refusal(
            'attn_norm_num_groups',
            groups,
            f'has no counterpart here: the middle attention of ours has a '
            f'normalisation of {NUM_GROUPS} groups',
        )
    return value == 'scale_shift'


def denoiser_to_diffusers_config(
    config: Mapping[str, Any], sample_size: int | None = None
) -> dict[str, Any]:
    """Arguments of the UNet of diffusers that a config of ours describes.

    Args:
        config: Of ``DenoisingUNet``.
        sample_size: Positions a side of the latents that a pipeline draws
            unless it is told another size.

    Returns:
        The arguments, and ``_class_name``: 'UNet2DConditionModel' where there
        are context tokens, 'UNet2DModel' where there are not.

    Raises:
        ValueError: If diffusers has no such network.
    """
    _check_kind(config.get('type', DenoisingUNet.__name__))
    args = arguments(DenoisingUNet, config)
    res_block = args['res_block'] or {}
    _check(args, res_block)
    mults = args['channel_mults']
    attends = [2**i in args['attn_factors'] for i in range(len(mults))]
    conditional = args['context_dim'] is not None
    kind = 'CrossAttn' if conditional else 'Attn'
    scale_shift = res_block.get('scale_shift', False)
    unet = without_memory(config)
    widths = [args['channels'] * mult for mult in mults]
    used = _in_use(attends)
    bottom = unet.heads(widths[-1])
    heads = [
        # What a level without attention is told is not read.
        unet.heads(w) if in_use else max(1, bottom * w // widths[-1])
        for w, in_use in zip(widths, used, strict=True)
    ]
    common = dict(
        sample_size=sample_size,
        in_channels=args['in_channels'],
        out_channels=args['out_channels'],
        down_block_types=_kinds(kind, 'DownBlock2D', attends),
        up_block_types=_kinds(kind, 'UpBlock2D', attends[::-1]),
        block_out_channels=widths,
        layers_per_block=args['num_res_blocks'],
        dropout=res_block.get('dropout', 0.0),
        norm_eps=1e-5,
        resnet_time_scale_shift='scale_shift' if scale_shift else 'default',
    )
    if conditional:
        return dict(_class_name='UNet2DConditionModel', **common) | dict(
            # Their name for the number of heads.
            attention_head_dim=(args['attention'] or {}).get('num_heads')
            or heads,
            transformer_layers_per_block=len(unet.mid[0].attention.blocks),
            cross_attention_dim=args['context_dim'],
            use_linear_projection=linear_projections(config),
        )
    theirs = dict(_class_name='UNet2DModel', **common)
    if scale_shift:  # without which they leave the normalisation out
        theirs['attn_norm_num_groups'] = NUM_GROUPS
    return theirs | dict(
        attention_head_dim=_head_channels(
            [*compress(widths, used)], [*compress(heads, used)]
        )
    )


def linear_projections(config: Mapping[str, Any]) -> bool:
    """Whether the projections of transformers are linear layers there.

    Else they are convolutions of one position, which is the same: Stable
    Diffusion 2, whose heads have one width, has the former, and 1 and the
    text-to-image model before it, whose levels have one number of heads, the
    latter.
    """
    return (config.get('attention') or {}).get('num_heads') is None


def _check_kind(kind: str) -> None:
    """Raise where a denoiser is no UNet."""
    if kind.rpartition('.')[2] != DenoisingUNet.__name__:
        raise ValueError(
            f'denoiser.type={kind!r} has no counterpart in diffusers; '
            'DenoisingUNet has: publish this model by '
            'tools/model_converters/publish_model.py'
        )


def _check(args: Mapping[str, Any], res_block: Mapping[str, Any]) -> None:
    """Raise where diffusers has no such network."""
    if args['vector_dim'] is not None:
        raise ValueError(
            f'denoiser.vector_dim={args["vector_dim"]}: beside the time '
            'diffusers has one embedding of classes, that of one '
            "ClassEmbedder(slot='vector') alone; give other conditions as "
            'tokens, with context_dim'
        )
    if res_block.get('updown'):
        raise ValueError(
            'denoiser.res_block.updown=True: what diffusers builds of blocks '
            'that resample is another network'
        )
    if args['bypass']:
        raise ValueError(
            'denoiser.bypass=True has no counterpart in diffusers: train '
            'without it what is to be used there'
        )


def _kinds(kind: str, block: str, attends: Sequence[bool]) -> list[str]:
    return [f'{kind if attend else ""}{block}' for attend in attends]


def _head_channels(widths: Sequence[int], heads: Sequence[int]) -> int | None:
    """Channels of a head, the same everywhere; None for one head alone."""
    found = {w // h for w, h in zip(widths, heads, strict=True)}
    if set(heads) == {1}:
        return None
    if len(found) > 1:
        raise ValueError(
            f'denoiser.attention.num_heads makes heads of {sorted(found)} '
            'channels: UNet2DModel of diffusers has heads of one width; set '
            'attention=dict(head_channels=..., num_heads=None)'
        )
    return found.pop()
