"""The config of a UNet of text-to-image models, read from its weights."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from torch import Tensor

from .denoiser import TARGET

FIRST, LAST = 'input_blocks.0.0.weight', 'out.2.weight'
DEPTH = re.compile(r'input_blocks\.\d+\.1\.transformer_blocks\.(\d+)\.')


def unet_of(
    weights: Mapping[str, Tensor], heads: Mapping[str, int]
) -> dict[str, Any]:
    """``target`` and ``params`` of the UNet that has these weights.

    Args:
        weights: Weights by the original's names within the UNet.
        heads: ``num_heads`` or ``num_head_channels``, which shapes do not
            show.

    Raises:
        KeyError: If a weight is missing.
    """
    channels = weights[FIRST].shape[0]
    widths, attends, num_blocks, context_dim = _levels(weights)
    found = [DEPTH.match(name) for name in weights]
    depths = [int(match[1]) + 1 for match in found if match]
    return dict(
        target=TARGET,
        params=dict(
            in_channels=weights[FIRST].shape[1],
            out_channels=len(weights[LAST]),
            model_channels=channels,
            channel_mult=[width // channels for width in widths],
            num_res_blocks=num_blocks,
            attention_resolutions=[2**i for i in reversed(attends)],
            transformer_depth=max(depths, default=1),
            use_spatial_transformer=context_dim is not None,
            context_dim=context_dim,
            **heads,
        ),
    )


def _levels(
    weights: Mapping[str, Tensor],
) -> tuple[list[int], list[int], int, int | None]:
    """Widths, levels with attention, blocks per level, width of context."""
    widths, attends, blocks, context_dim = [], set(), 0, None
    level = 0
    for i in count(1):
        block = f'input_blocks.{i}.'
        if f'{block}0.op.weight' in weights:
            level += 1
            continue
        name = f'{block}0.out_layers.3.weight'
        if name not in weights:
            break
        widths[level:] = [len(weights[name])]
        blocks += level == 0
        if f'{block}1.proj_in.weight' in weights:
            attends.add(level)
        context = f'{block}1.transformer_blocks.0.attn2.to_k.weight'
        if context in weights:
            context_dim = weights[context].shape[1]
    return widths, sorted(attends), blocks, context_dim
