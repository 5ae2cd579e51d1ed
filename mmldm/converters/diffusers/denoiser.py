"""Weights of the UNets of diffusers, both ways."""

import re
from collections.abc import Mapping
from typing import Any

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.layers import (
    ResBlock,
    SelfAttention2d,
    TimeEmbedding,
)

from ..key_mapping import JSON, POINTWISE, KeyMapping, Weights
from .denoiser_config import linear_projections
from .weights import ATTENTION, modern_weights

LINEAR = re.compile(r'\.proj_(in|out)\.weight$')


def unet_keys(config: Mapping[str, Any]) -> KeyMapping:
    """Names in diffusers; the config decides the kind of projections."""
    if linear_projections(config):
        return UNET_KEYS._replace(pointwise={})
    return UNET_KEYS


def _today(weights: Weights) -> Weights:
    """Turn projections of transformers into convolutions, if needed."""
    return {
        name: weight[..., None, None]
        if LINEAR.search(name) and weight.ndim == 2
        else weight
        for name, weight in modern_weights(weights).items()
    }


def _module_names(unet: DenoisingUNet) -> dict[str, str]:
    """Parts of our UNet, and their names in diffusers."""
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


UNET_KEYS = KeyMapping(
    modules=_module_names,
    inner={
        ResBlock: {'embed': 'time_emb_proj', 'skip': 'conv_shortcut'},
        SelfAttention2d: ATTENTION,
        TimeEmbedding: {'mlp.0': 'linear_1', 'mlp.2': 'linear_2'},
    },
    pointwise=POINTWISE,
    today=_today,
    remedy=JSON,
)
