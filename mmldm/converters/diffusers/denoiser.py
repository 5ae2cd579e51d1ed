"""Weights of the UNets of diffusers, both ways."""

from torch import Tensor

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.layers import (
    ResBlock,
    SelfAttention2d,
    TimeEmbedding,
)

from ..key_mapping import JSON, POINTWISE, Config, KeyMapping, Weights
from .denoiser_config import linear_projections
from .weights import ATTENTION, modern_weights


def unet_keys(config: Config) -> KeyMapping:
    """Names in diffusers; the config decides the kind of projections."""
    if linear_projections(config):
        return UNET_KEYS._replace(pointwise={})
    return UNET_KEYS


def read_unet(weights: Weights, config: Config) -> dict[str, Tensor]:
    """All weights of our UNet, by name; see :meth:`KeyMapping.read`."""
    return unet_keys(config).read(weights, config)


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
    today=modern_weights,
    remedy=JSON,
)
