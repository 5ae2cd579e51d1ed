"""Denoisers of the original code of Rombach et al. 2022.

Converts ``ldm/modules/diffusionmodules/openaimodel.py``, and weights back;
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
from ..key_table import Key, KeyTable, fixed, ignored
from ..kinds import BOOL, COUNT, NUMBER, either, list_of
from .params import PARAMS, REMEDY, target_and_params

TARGET = 'ldm.modules.diffusionmodules.openaimodel.UNetModel'
TABLE = KeyTable(
    Key('in_channels', 'in_channels', COUNT),
    Key('out_channels', 'out_channels', COUNT),
    Key('model_channels', 'channels', COUNT),
    Key('channel_mult', 'channel_mults', list_of(COUNT), (1, 2, 4, 8)),
    Key('num_res_blocks', 'num_res_blocks', COUNT),
    Key('attention_resolutions', 'attn_factors', list_of(COUNT, least=0)),
    Key('transformer_depth', 'attention.depth', COUNT, 1),
    Key('dropout', 'res_block.dropout', NUMBER, 0),
    Key('use_scale_shift_norm', 'res_block.scale_shift', BOOL, False),
    Key('resblock_updown', 'res_block.updown', BOOL, False),
    Key('context_dim', 'context_dim', either(COUNT, None), None),
    Key('use_spatial_transformer', '', BOOL, False),
    Key('num_head_channels', '', either(COUNT, -1), -1),
    Key('num_heads', '', either(COUNT, -1), -1),
    *fixed(
        {
            'conv_resample': True,
            'dims': 2,
            'n_embed': None,
            'num_classes': None,
            'num_heads_upsample': -1,
            'use_new_attention_order': False,
        }
    ),
    # Memory, precision, shapes of weights, which are converted in any case,
    # and the way to compute the number of heads, if all give the same.
    *ignored(
        'image_size legacy use_checkpoint use_fp16 use_linear_in_transformer'
    ),
    remedy=REMEDY,
)


def denoiser_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The config of our UNet for a config of the original.

    Args:
        original: ``target`` and ``params``, as under ``unet_config`` of a
            diffusion model.

    Raises:
        ValueError: If it is no UNet, a key is missing or unknown, or a
            value has no counterpart in our network.
    """
    _, params = target_and_params(original, [TARGET], ' as a denoiser')
    given = TABLE.read(PARAMS, params)
    transformer, dim = given['use_spatial_transformer'], given['context_dim']
    if transformer != (dim is not None):
        raise given.refusal(
            'use_spatial_transformer',
            f'does not suit params.context_dim={dim}: one needs the other',
        )
    head_channels, num_heads = given['num_head_channels'], given['num_heads']
    if head_channels == num_heads == -1:
        raise ValueError(
            'params.num_heads and params.num_head_channels are missing: '
            f'{REMEDY}'
        )
    # If the width of heads is given, the original computes their number.
    width = head_channels != -1
    given.ours['attention'] |= (
        dict(head_channels=head_channels)
        if width
        else dict(num_heads=num_heads)
    )
    return dict(type='DenoisingUNet', **given.ours)


def _module_names(unet: DenoisingUNet) -> dict[str, str]:
    """Parts of our UNet, and their names in the original, by number."""
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
    """Names with the number of the block and the place in it."""
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
