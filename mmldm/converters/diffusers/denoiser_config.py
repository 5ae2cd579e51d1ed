"""Configs of the UNets of diffusers, both ways."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.denoisers.unet_parts import AttentionOptions, ResBlockOptions
from mmldm.models.layers.resnet import NUM_GROUPS

from ..key_table import Given
from .denoiser_table import BLOCKS, CONDITIONAL, PLAIN, TABLES
from .levels import arguments, class_name

# Numbers that diffusers allows to differ between levels.
BY_LEVEL = (
    'cross_attention_dim',
    'layers_per_block',
    'transformer_layers_per_block',
)


def denoiser_from_diffusers_config(
    theirs: Mapping[str, Any],
) -> dict[str, Any]:
    """Our config for the ``config.json`` of a UNet.

    Raises:
        ValueError: If it is no UNet, a key is unknown, or a value has no
            counterpart in our network.
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
    """The config with one number where all levels have the same."""
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
    """Levels whose heads count: those with attention, and the lowest."""
    last = len(levels['channel_mults']) - 1
    return [
        2**i in levels['attn_factors'] or i == last for i in range(last + 1)
    ]


def _heads(
    name: str, given: Given, levels: Mapping[str, Any]
) -> dict[str, Any]:
    """Heads; one key is their width or, despite its name, their number."""
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
        f'has no counterpart here: levels with {widths} channels '
        'must have the same number of heads, or heads of the same width',
    )


def _check_middle(name: str, given: Given) -> None:
    """Raise if the middle attention has another normalisation."""
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
    """Arguments of the UNet of diffusers for a config of ours.

    Args:
        config: Config of ``DenoisingUNet``.
        sample_size: Default side of the latents that a pipeline generates,
            in latent positions.

    Returns:
        The arguments, and ``_class_name``: 'UNet2DConditionModel' with
        context tokens, 'UNet2DModel' without.

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
    """Channels of a head, the same in all levels; None for one head."""
    widths = [*compress(_widths(args), _in_use(args))]
    heads = [options.heads(width) for width in widths]
    found = {w // h for w, h in zip(widths, heads, strict=True)}
    scale_shift = args['res_block']['scale_shift']
    # Without groups, diffusers leaves out the normalisation.
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
    """Numbers of heads, by the name of the key in diffusers."""
    widths = _widths(args)
    bottom = options.heads(widths[-1])
    heads = [
        # Levels without attention ignore their number of heads.
        options.heads(w) if in_use else max(1, bottom * w // widths[-1])
        for w, in_use in zip(widths, _in_use(args), strict=True)
    ]
    return dict(
        attention_head_dim=options.num_heads or heads,
        use_linear_projection=linear_projections(args),
    )


def linear_projections(config: Mapping[str, Any]) -> bool:
    """Whether the projections of transformers are linear layers in diffusers.

    Otherwise they are 1x1 convolutions, which compute the same. They are
    linear in Stable Diffusion 2, whose heads have one width. They are
    convolutions in Stable Diffusion 1 and the earlier text-to-image model,
    whose levels have one number of heads.
    """
    return (config.get('attention') or {}).get('num_heads') is None


def _check_kind(kind: str) -> None:
    """Raise unless a denoiser is a UNet."""
    if kind.rpartition('.')[2] != DenoisingUNet.__name__:
        raise ValueError(
            f'denoiser.type={kind!r} has no counterpart in diffusers; '
            'DenoisingUNet has: publish this model by '
            'tools/model_converters/publish_model.py'
        )


def _check(args: Mapping[str, Any]) -> None:
    """Raise if diffusers has no such network."""
    if args['vector_dim'] is not None:
        raise ValueError(
            f'denoiser.vector_dim={args["vector_dim"]}: besides the time, '
            'diffusers has one embedding of classes, from one '
            "ClassEmbedder(slot='vector') alone; give other conditions as "
            'tokens, with context_dim'
        )
    if args['res_block']['updown']:
        raise ValueError(
            'denoiser.res_block.updown=True has no counterpart in diffusers, '
            'whose resampling blocks are others: train without it'
        )
    if args['input_skip']:
        raise ValueError(
            'denoiser.input_skip=True has no counterpart in diffusers: train '
            'without it for diffusers'
        )
