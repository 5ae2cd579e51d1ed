"""Denoisers of the original code of Rombach et al. 2022.

``ldm/modules/diffusionmodules/openaimodel.py`` as ours, and weights back;
names and defaults are those of github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Mapping
from typing import Any

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.denoisers.unet_parts import UNetLevel
from mmldm.models.layers import (
    Downsample,
    ResBlock,
    SelfAttention2d,
    TimeEmbedding,
)

from ..key_mapping import POINTWISE, KeyMapping
from .params import check_required, check_rest

TARGET = 'ldm.modules.diffusionmodules.openaimodel.UNetModel'
REQUIRED = (
    'attention_resolutions',
    'in_channels',
    'model_channels',
    'num_res_blocks',
    'out_channels',
)
# The one value that our networks have.
FIXED = {
    'conv_resample': True,
    'dims': 2,
    'n_embed': None,
    'num_classes': None,
    'num_heads_upsample': -1,
    'use_new_attention_order': False,
}
# Memory, precision, and how the number of heads is worked out where it comes
# to the same.
IGNORED = {'image_size', 'legacy', 'use_checkpoint', 'use_fp16'}


def denoiser_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the UNet that a config of the original describes.

    Args:
        original: ``target`` and ``params``, as under ``unet_config`` of a
            diffusion model.

    Raises:
        ValueError: If it is no UNet, a key is missing or not known, or a
            value asks for what our network has not.
    """
    target = original.get('target')
    if target != TARGET:
        raise ValueError(
            f'target={target!r} cannot be converted as a denoiser; this can: '
            f'{TARGET}'
        )
    params = dict(original.get('params') or {})
    check_required(params, REQUIRED)
    config = dict(
        type='DenoisingUNet',
        in_channels=params.pop('in_channels'),
        out_channels=params.pop('out_channels'),
        channels=params.pop('model_channels'),
        channel_mults=tuple(params.pop('channel_mult', (1, 2, 4, 8))),
        num_res_blocks=params.pop('num_res_blocks'),
        attn_factors=tuple(params.pop('attention_resolutions')),
        attention=_attention(params),
        res_block=dict(
            dropout=params.pop('dropout', 0),
            scale_shift=params.pop('use_scale_shift_norm', False),
            updown=params.pop('resblock_updown', False),
        ),
        context_dim=_context_dim(params),
    )
    check_rest(params, FIXED, IGNORED)
    return config


def _attention(params: dict[str, Any]) -> dict[str, Any]:
    """The width of heads, or else their number, and the depth."""
    head_channels = params.pop('num_head_channels', -1)
    num_heads = params.pop('num_heads', -1)
    if head_channels == num_heads == -1:
        raise ValueError(
            'params.num_heads and params.num_head_channels are missing: take '
            'the yaml file the model was trained with'
        )
    depth = params.pop('transformer_depth', 1)
    if head_channels != -1:
        return dict(head_channels=head_channels, depth=depth)
    return dict(num_heads=num_heads, depth=depth)


def _context_dim(params: dict[str, Any]) -> int | None:
    """Channels of context tokens; None where positions alone attend."""
    context_dim = params.pop('context_dim', None)
    transformer = params.pop('use_spatial_transformer', False)
    if transformer != (context_dim is not None):
        raise ValueError(
            f'params.use_spatial_transformer={transformer} does not suit '
            f'params.context_dim={context_dim}: one needs the other'
        )
    return context_dim


def _module_names(unet: DenoisingUNet) -> dict[str, str]:
    """Parts of our UNet, and their names there, where they are numbered."""
    down = [['conv_in']]
    for i, level in enumerate(unet.down):
        down += _blocks(f'down.{i}', level)
        down.append([f'down.{i}.resample'])
    up = []
    for i, level in enumerate(unet.up):
        blocks = _blocks(f'up.{i}', level)
        blocks[-1].append(f'up.{i}.resample')
        up += blocks
    middle = ['mid.0.res', 'mid.0.attention', 'mid.1.res']
    return {
        'time_embed': 'time_embed',
        **_numbered('input_blocks', down),
        **{name: f'middle_block.{i}' for i, name in enumerate(middle)},
        **_numbered('output_blocks', up),
        'out': 'out',
    }


def _blocks(ours: str, level: UNetLevel) -> list[list[str]]:
    """Parts of each block of a level."""
    return [
        [f'{ours}.blocks.{i}.{part}' for part, _ in block.named_children()]
        for i, block in enumerate(level.blocks)
    ]


def _numbered(theirs: str, blocks: list[list[str]]) -> dict[str, str]:
    """Names by the number of the block, and the place in it."""
    return {
        name: f'{theirs}.{i}.{j}'
        for i, block in enumerate(blocks)
        for j, name in enumerate(block)
    }


UNET_KEYS = KeyMapping(
    modules=_module_names,
    inner={
        ResBlock: {
            'norm1': 'in_layers.0',
            'conv1': 'in_layers.2',
            'embed': 'emb_layers.1',
            'norm2': 'out_layers.0',
            'conv2': 'out_layers.3',
            'skip': 'skip_connection',
        },
        Downsample: {'conv': 'op'},
        SelfAttention2d: {'out': 'proj_out'},
        TimeEmbedding: {'mlp.0': '0', 'mlp.2': '2'},
    },
    pointwise={
        **POINTWISE,
        (SelfAttention2d, 'qkv.weight'): 1,
        (SelfAttention2d, 'out.weight'): 1,
    },
    heads_first=True,
)
