"""UNets of diffusers: ours as theirs, and weights both ways.

Names and defaults are those of ``UNet2DModel`` and ``UNet2DConditionModel``
in diffusers 0.42.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.layers import (
    ResBlock,
    SelfAttention2d,
    TimeEmbedding,
)

from .dialect import POINTWISE, Dialect, pairs_of
from .pairs import check_weights, to_ours, to_theirs, without_memory


def denoiser_to_diffusers_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the UNet of diffusers that a config of ours describes.

    Args:
        config: Of ``DenoisingUNet``.

    Returns:
        The arguments, and ``_class_name``: 'UNet2DConditionModel' where there
        are context tokens, 'UNet2DModel' where there are not.

    Raises:
        ValueError: If diffusers has no such network.
    """
    unet = without_memory(config)
    _check(unet)
    widths = [level.blocks[-1].res.conv2.out_channels for level in unet.down]
    attends = [level.blocks[0].attention is not None for level in unet.down]
    common = dict(
        in_channels=unet.in_channels,
        out_channels=unet.out_channels,
        block_out_channels=tuple(widths),
        layers_per_block=len(unet.down[0].blocks),
        norm_eps=1e-5,
    )
    if unet.context_dim is None:
        return common | _unconditional(unet, attends)
    return common | _conditional(unet, attends)


def _check(unet: DenoisingUNet) -> None:
    """Raise where diffusers has no such network."""
    if unet.vector_dim is not None:
        raise ValueError(
            f'denoiser.vector_dim={unet.vector_dim}: diffusers knows no '
            'vector that is one linear layer away from the time embedding; '
            'give the condition as tokens, with context_dim'
        )
    if isinstance(unet.down[0].resample, ResBlock):
        raise ValueError(
            'denoiser.res_block.updown=True: what diffusers builds of blocks '
            'that resample is another network'
        )
    if unet.mid[0].res.scale_shift and unet.context_dim is None:
        raise ValueError(
            'denoiser.res_block.scale_shift=True without context_dim: the '
            'middle attention of UNet2DModel then has no normalisation'
        )


def _unconditional(
    unet: DenoisingUNet, attends: Sequence[bool]
) -> dict[str, Any]:
    """What ``UNet2DModel`` needs besides."""
    return dict(
        _class_name='UNet2DModel',
        down_block_types=_kinds('AttnDownBlock2D', 'DownBlock2D', attends),
        up_block_types=_kinds('AttnUpBlock2D', 'UpBlock2D', attends[::-1]),
        attention_head_dim=_head_channels(unet),
    )


def _conditional(
    unet: DenoisingUNet, attends: Sequence[bool]
) -> dict[str, Any]:
    """What ``UNet2DConditionModel`` needs besides."""
    down, up = 'CrossAttnDownBlock2D', 'CrossAttnUpBlock2D'
    heads = [
        unet.heads(w.blocks[-1].res.conv2.out_channels) for w in unet.down
    ]
    return dict(
        _class_name='UNet2DConditionModel',
        down_block_types=_kinds(down, 'DownBlock2D', attends),
        up_block_types=_kinds(up, 'UpBlock2D', attends[::-1]),
        # Their name for the number of heads.
        attention_head_dim=tuple(heads),
        transformer_layers_per_block=len(unet.mid[0].attention.blocks),
        cross_attention_dim=unet.context_dim,
        resnet_time_scale_shift=(
            'scale_shift' if unet.mid[0].res.scale_shift else 'default'
        ),
    )


def _kinds(
    with_attention: str, without: str, attends: Sequence[bool]
) -> tuple[str, ...]:
    return tuple(with_attention if a else without for a in attends)


def _head_channels(unet: DenoisingUNet) -> int:
    """Channels of a head, the same everywhere."""
    found = {
        m.norm.num_channels // m.num_heads
        for m in unet.modules()
        if isinstance(m, SelfAttention2d)
    }
    if len(found) > 1:
        raise ValueError(
            f'denoiser.attention.num_heads makes heads of {sorted(found)} '
            'channels: UNet2DModel of diffusers has heads of one width; set '
            'attention=dict(head_channels=..., num_heads=None)'
        )
    return found.pop()


def denoiser_to_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of ours under diffusers' names and in its shapes.

    Args:
        weights: Of a ``DenoisingUNet`` that was built from ``config``.
        config: Of ``DenoisingUNet``.
    """
    return to_theirs(weights, pairs_of(without_memory(config), DIFFUSERS))


def denoiser_from_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The way back of :func:`denoiser_to_diffusers`.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    pairs = pairs_of(without_memory(config), DIFFUSERS)
    check_weights(weights, pairs)
    return to_ours(weights, pairs)


def _module_names(unet: DenoisingUNet) -> dict[str, str]:
    """Parts of our UNet, and their names there."""
    names = {
        'time_embed': 'time_embedding',
        'conv_in': 'conv_in',
        'mid.0.res': 'mid_block.resnets.0',
        'mid.0.attention': 'mid_block.attentions.0',
        'mid.1.res': 'mid_block.resnets.1',
        'out.0': 'conv_norm_out',
        'out.2': 'conv_out',
    }
    for side, resample in (('down', 'downsamplers'), ('up', 'upsamplers')):
        for i, level in enumerate(getattr(unet, side)):
            ours, theirs = f'{side}.{i}', f'{side}_blocks.{i}'
            names[f'{ours}.resample'] = f'{theirs}.{resample}.0'
            for j in range(len(level.blocks)):
                block = f'{ours}.blocks.{j}'
                names[f'{block}.res'] = f'{theirs}.resnets.{j}'
                names[f'{block}.attention'] = f'{theirs}.attentions.{j}'
    return names


DIFFUSERS = Dialect(
    modules=_module_names,
    inner={
        ResBlock: {'embed': 'time_emb_proj', 'skip': 'conv_shortcut'},
        SelfAttention2d: {
            'norm': 'group_norm',
            'qkv': ('to_q', 'to_k', 'to_v'),
            'out': 'to_out.0',
        },
        TimeEmbedding: {'mlp.0': 'linear_1', 'mlp.2': 'linear_2'},
    },
    pointwise=POINTWISE,
)
