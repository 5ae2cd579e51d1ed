"""Configs of the UNets of diffusers as ours, and ours as theirs."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.denoisers.unet_parts import AttentionOptions, ResBlockOptions
from mmldm.models.layers.resnet import NUM_GROUPS

from ..key_table import Given
from .denoiser_table import BLOCKS, CONDITIONAL, PLAIN, TABLES
from .levels import arguments, class_name

# Numbers that may be given for each level.
BY_LEVEL = (
    'cross_attention_dim',
    'layers_per_block',
    'transformer_layers_per_block',
)


def denoiser_from_diffusers_config(
    theirs: Mapping[str, Any],
) -> dict[str, Any]:
    """Our config of the UNet that a ``config.json`` describes.

    Raises:
        ValueError: If it is no UNet, a key is not known, or a value asks for
            what our network has not.
    """
    name = class_name(theirs, TABLES, 'a denoiser')
    given = TABLES[name].read(f'{name}.', _one_for_all(name, theirs))
    levels = BLOCKS[name].read(given)
    _check_middle(name, given)
    attention = given.ours.pop('attention', {})
    attention |= _heads(name, given, levels)
    ours = dict(context_dim=None) | given.ours | levels
    return dict(type='DenoisingUNet', attention=attention, **ours)


def _one_for_all(name: str, theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The config with one number where each level has the same."""
    config = dict(theirs)
    for key in BY_LEVEL:
        match theirs.get(key):
            case [first, *others]:
                if any(other != first for other in others):
                    raise ValueError(
                        f'{name}.{key}={theirs[key]} has no counterpart '
                        'here: only one for all has'
                    )
                config[key] = first
    return config


def _widths(levels: Mapping[str, Any]) -> list[int]:
    return [levels['channels'] * mult for mult in levels['channel_mults']]


def _in_use(levels: Mapping[str, Any]) -> list[bool]:
    """Levels whose heads count: the lowest is that of the middle too."""
    last = len(levels['channel_mults']) - 1
    return [
        2**i in levels['attn_factors'] or i == last for i in range(last + 1)
    ]


def _heads(
    name: str, given: Given, levels: Mapping[str, Any]
) -> dict[str, Any]:
    """A key of one name counts channels of heads or, against it, heads."""
    value = given['attention_head_dim']
    if name == PLAIN:
        return (
            dict(num_heads=1) if value is None else dict(head_channels=value)
        )
    if not isinstance(value, Sequence):
        return dict(num_heads=value)
    widths, used = _widths(levels), _in_use(levels)
    if len(value) != len(widths):
        raise given.refusal('attention_head_dim', 'is not one a block')
    heads = [*compress(value, used)]
    sizes = {w / h for w, h in zip(compress(widths, used), heads, strict=True)}
    if len(sizes) == 1 and (size := sizes.pop()) % 1 == 0:
        return dict(head_channels=int(size))
    if len(set(heads)) == 1:
        return dict(num_heads=heads[0])
    raise given.refusal(
        'attention_head_dim',
        f'has no counterpart here: of levels with {widths} channels '
        'neither the number of heads is one, nor their width',
    )


def _check_middle(name: str, given: Given) -> None:
    """Raise where the middle attention has another normalisation."""
    scales = given['resnet_time_scale_shift'] == 'scale_shift'
    known = (NUM_GROUPS,) if scales and name == PLAIN else (None, NUM_GROUPS)
    if given['attn_norm_num_groups'] not in known:
        raise given.refusal(
            'attn_norm_num_groups',
            'has no counterpart here: the middle attention of ours has a '
            f'normalisation of {NUM_GROUPS} groups',
        )


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
    args['attention'] = arguments(AttentionOptions, args['attention'] or {})
    args['res_block'] = arguments(ResBlockOptions, args['res_block'] or {})
    _check(args)
    name = PLAIN if args['context_dim'] is None else CONDITIONAL
    options = AttentionOptions(**args['attention'])
    return dict(
        _class_name=name,
        sample_size=sample_size,
        **BLOCKS[name].write(args),
        **TABLES[name].write(args, 'norm_eps'),
    ) | (
        _attention_of_plain(options, args)
        if name == PLAIN
        else _attention_of_conditional(options, args)
    )


def _attention_of_plain(
    options: AttentionOptions, args: Mapping[str, Any]
) -> dict[str, Any]:
    """Channels of a head, the same everywhere; None for one head alone."""
    widths = [*compress(_widths(args), _in_use(args))]
    heads = [options.heads(width) for width in widths]
    found = {w // h for w, h in zip(widths, heads, strict=True)}
    scale_shift = args['res_block']['scale_shift']
    # Without it they leave the normalisation out.
    norm = dict(attn_norm_num_groups=NUM_GROUPS) if scale_shift else {}
    if set(heads) == {1}:
        return dict(attention_head_dim=None, **norm)
    if len(found) > 1:
        raise ValueError(
            f'denoiser.attention.num_heads makes heads of {sorted(found)} '
            'channels: UNet2DModel of diffusers has heads of one width; set '
            'attention=dict(head_channels=..., num_heads=None)'
        )
    return dict(attention_head_dim=found.pop(), **norm)


def _attention_of_conditional(
    options: AttentionOptions, args: Mapping[str, Any]
) -> dict[str, Any]:
    """Numbers of heads, by their name for it."""
    widths = _widths(args)
    bottom = options.heads(widths[-1])
    heads = [
        # What a level without attention is told is not read.
        options.heads(w) if in_use else max(1, bottom * w // widths[-1])
        for w, in_use in zip(widths, _in_use(args), strict=True)
    ]
    return dict(
        attention_head_dim=options.num_heads or heads,
        use_linear_projection=linear_projections(args),
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


def _check(args: Mapping[str, Any]) -> None:
    """Raise where diffusers has no such network."""
    if args['vector_dim'] is not None:
        raise ValueError(
            f'denoiser.vector_dim={args["vector_dim"]}: beside the time '
            'diffusers has one embedding of classes, that of one '
            "ClassEmbedder(slot='vector') alone; give other conditions as "
            'tokens, with context_dim'
        )
    if args['res_block']['updown']:
        raise ValueError(
            'denoiser.res_block.updown=True: what diffusers builds of blocks '
            'that resample is another network'
        )
    if args['input_skip']:
        raise ValueError(
            'denoiser.input_skip=True has no counterpart in diffusers: train '
            'without it what is to be used there'
        )
