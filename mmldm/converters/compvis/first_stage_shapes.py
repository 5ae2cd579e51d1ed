"""The config of a first stage, read from the shapes of its weights.

First stages are often shared without the config file of their training. Their
weights show all that a config of the original says about the network.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

from torch import Tensor

from mmldm.utils.checkpoint import few

KL = 'ldm.models.autoencoder.AutoencoderKL'
VQ = 'ldm.models.autoencoder.VQModel'
FIRST, LAST = 'encoder.conv_in.weight', 'decoder.conv_out.weight'
DECODER = 'decoder.conv_in.weight'
# 1x1 convolutions after the encoder and before the decoder; there are none in
# Stable Diffusion 3 and FLUX.
AFTER, BEFORE = 'quant_conv.weight', 'post_quant_conv.weight'
CODEBOOK = 'quantize.embedding.weight'
# Attention is listed by sizes for images of this side; any side would do.
RESOLUTION = 256


def first_stage_of(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """``target`` and ``params`` of the first stage that has these weights.

    Args:
        weights: A checkpoint of the original code, by its names.

    Raises:
        ValueError: If the weights are not those of a first stage alone.
    """
    missing = [n for n in (FIRST, LAST, DECODER) if n not in weights]
    if missing:
        raise ValueError(
            'without a config file only a first stage, or Stable Diffusion 1 '
            f'or 2, can be read, and {missing[0]} is missing (it holds '
            f'{few(sorted(weights))}): give the yaml file that the model was '
            'trained with, before the checkpoint'
        )
    z_channels = embed_dim = _width(weights, DECODER)[1]
    if BEFORE in weights:
        embed_dim = _width(weights, BEFORE)[1]
    params = dict(embed_dim=embed_dim, ddconfig=_network(weights, z_channels))
    if AFTER not in weights:
        params['use_quant_conv'] = False
    if BEFORE not in weights:
        params['use_post_quant_conv'] = False
    if CODEBOOK not in weights:
        return dict(target=KL, params=params)
    params['n_embed'] = len(weights[CODEBOOK])
    return dict(target=VQ, params=params)


def _network(weights: Mapping[str, Tensor], z_channels: int) -> dict[str, Any]:
    """``ddconfig``: widths, depths, and the levels with attention."""
    channels, in_channels = _width(weights, FIRST)
    widths = []
    for level in count():
        name = f'encoder.down.{level}.block.0.conv1.weight'
        if name not in weights:
            break
        widths.append(_width(weights, name)[0])
    blocks = sum(
        f'encoder.down.0.block.{i}.conv1.weight' in weights
        for i in range(len(weights))
    )
    attends = [
        RESOLUTION // 2**level
        for level in range(len(widths))
        if f'encoder.down.{level}.attn.0.q.weight' in weights
    ]
    middle = 'encoder.mid.attn_1.q.weight' in weights
    return dict(
        ch=channels,
        in_channels=in_channels,
        out_ch=_width(weights, LAST)[0],
        ch_mult=[width // channels for width in widths],
        num_res_blocks=blocks,
        attn_resolutions=attends,
        attn_type='vanilla' if middle else 'none',
        resolution=RESOLUTION,
        z_channels=z_channels,
        double_z=CODEBOOK not in weights,
    )


def _width(weights: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    """Output and input channels of a convolution."""
    shape = weights[name].shape
    return shape[0], shape[1]
