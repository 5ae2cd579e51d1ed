"""Scale and shift of latents, where diffusers has one number for both."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

REMEDY = (
    'measure one number for all channels, by '
    'tools/analysis_tools/latent_stats.py or LatentScaleHook without '
    'per_channel, and train the diffusion model anew'
)


def latent_scale(weights: Mapping[str, Tensor]) -> float:
    """The one factor on latents that diffusers knows.

    Args:
        weights: Of a first stage of ours, by name.

    Raises:
        ValueError: If each channel has its own, or latents are shifted; see
            :func:`fold_latent_scale`.
    """
    for name in ('latent_shift', 'latent_scale'):
        if not _is_one_number(weights, name):
            raise ValueError(
                f'autoencoder.{name}={weights[name].flatten().tolist()} has '
                'no counterpart in diffusers, which has one factor for all '
                f'channels and no shift: {REMEDY}'
            )
    # The shortest number that is this float32.
    return float(str(weights['latent_scale'].flatten()[0].cpu().numpy()))


def fold_latent_scale(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Tensor], list[str]]:
    """The same first stage with a scale that diffusers knows.

    A scale and a shift of each channel go into the 1x1 convolutions on
    either side of the latents of an ``AutoencoderKL``, which changes neither
    latents nor images. A codebook's nearest code depends on the scale of
    each channel: others stay as they are, for :func:`latent_scale` to
    refuse.

    Args:
        weights: Of a first stage of ours, by name.
        config: Of it.

    Returns:
        Its weights, and what was folded, in words.
    """
    weights = dict(weights)
    simple = all(
        _is_one_number(weights, name)
        for name in ('latent_shift', 'latent_scale')
    )
    if simple or config['type'] != 'AutoencoderKL':
        return weights, []
    kind = weights['quant_conv.weight'].dtype
    scale = weights['latent_scale'].double().flatten()
    shift = weights['latent_shift'].double().flatten()
    into, into_bias, out, out_bias = (
        weights[f'{name}.{part}'].double()
        for name in ('quant_conv', 'post_quant_conv')
        for part in ('weight', 'bias')
    )
    # Means first, then log-variances.
    channels = len(scale)
    into, into_bias = into.clone(), into_bias.clone()
    into[:channels] *= scale[:, None, None, None]
    into_bias[:channels] = (into_bias[:channels] - shift) * scale
    into_bias[channels:] += 2 * scale.log()
    folded = {
        'quant_conv.weight': into,
        'quant_conv.bias': into_bias,
        'post_quant_conv.weight': out / scale[:, None, None],
        'post_quant_conv.bias': out_bias + out.flatten(1) @ shift,
        'latent_scale': weights['latent_scale'].double() * 0 + 1,
        'latent_shift': weights['latent_shift'].double() * 0,
    }
    weights |= {name: weight.to(kind) for name, weight in folded.items()}
    return weights, [
        'latent_scale and latent_shift of each channel are part of '
        'quant_conv and post_quant_conv: latents are the same, and '
        'scaling_factor=1'
    ]


def _is_one_number(weights: Mapping[str, Tensor], name: str) -> bool:
    """Whether diffusers can have a scale or a shift as it is."""
    values = weights[name].flatten()
    only = 0 if name == 'latent_shift' else values[0]
    return bool((values == only).all())
