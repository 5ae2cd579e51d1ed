"""Weights of the UNets of diffusers as ours, and ours as theirs."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.layers import (
    ResBlock,
    SelfAttention2d,
    TimeEmbedding,
)

from ..dialect import POINTWISE, Dialect, pairs_of
from ..pairs import check_weights, to_ours, to_theirs, without_memory
from .denoiser_config import linear_projections
from .weights import ATTENTION, REMEDY, modern_weights


def denoiser_to_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of ours under diffusers' names and in its shapes.

    Args:
        weights: Of a ``DenoisingUNet`` that was built from ``config``.
        config: Of ``DenoisingUNet``.
    """
    dialect = _dialect(linear_projections(config))
    return to_theirs(weights, pairs_of(without_memory(config), dialect))


def denoiser_from_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The way back of :func:`denoiser_to_diffusers`.

    Args:
        weights: By name, today's or as before diffusers 0.13.
        config: As of :func:`denoiser_from_diffusers_config`.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    weights = modern_weights(weights)
    linear = any(
        name.endswith('.proj_in.weight') and weight.ndim == 2
        for name, weight in weights.items()
    )
    pairs = pairs_of(without_memory(config), _dialect(linear))
    check_weights(weights, pairs, remedy=REMEDY)
    return to_ours(weights, pairs)


def _dialect(linear: bool) -> Dialect:
    """The names there, with projections that are linear or convolutions."""
    return DIFFUSERS._replace(pointwise={}) if linear else DIFFUSERS


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
        SelfAttention2d: ATTENTION,
        TimeEmbedding: {'mlp.0': 'linear_1', 'mlp.2': 'linear_2'},
    },
    pointwise=POINTWISE,
)
