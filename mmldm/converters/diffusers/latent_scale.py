"""Scale and shift of latents; diffusers has one scale and no shift."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

REMEDY = (
    'measure one number for all channels, by '
    'tools/analysis_tools/latent_stats.py or LatentScaleHook without '
    'per_channel, and train the diffusion model anew'
)


def latent_scale(weights: Mapping[str, Tensor]) -> float:
    """The factor on latents, if there is only one.

    Args:
        weights: Weights of a first stage of ours, by name.

    Raises:
        ValueError: If each channel has its own factor, or latents are
            shifted; see :func:`fold_latent_scale`.
    """
    for name in ('latent_shift', 'latent_scale'):
        if not _is_one_number(weights, name):
            raise ValueError(
                f'autoencoder.{name}={weights[name].flatten().tolist()} has '
                'no counterpart in diffusers, which has one factor for all '
                f'channels and no shift: {REMEDY}'
            )
    # The shortest decimal number that rounds to this float32.
    return float(str(weights['latent_scale'].flatten()[0].cpu().numpy()))


def fold_latent_scale(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Tensor], list[str]]:
    """The same first stage with a scale that diffusers can express.

    In an ``AutoencoderKL``, the scale and shift of each channel are moved
    into the 1x1 convolutions on both sides of the latents. This changes
    neither latents nor images. Other first stages stay unchanged, as the
    nearest code depends on the scale of each channel; :func:`latent_scale`
    raises for them.

    Args:
        weights: Weights of a first stage of ours, by name.
        config: Config of the first stage.

    Returns:
        The weights, and sentences about the moved scale.
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
    # First the means, then the log-variances.
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
    """Whether diffusers can express a scale or a shift as it is."""
    values = weights[name].flatten()
    only = 0 if name == 'latent_shift' else values[0]
    return bool((values == only).all())
