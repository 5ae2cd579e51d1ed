"""Scale and shift of latents, by the keys of diffusers or in weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

REMEDY = (
    'measure one number for all channels, by '
    'tools/analysis_tools/latent_stats.py or LatentScaleHook without '
    'per_channel, and train the diffusion model anew'
)
KL = 'AutoencoderKL'
# 1x1 convolutions around latents; arguments of our config have these names.
POINTWISE = 'quant_conv', 'post_quant_conv'


def scale_keys(weights: Mapping[str, Tensor], kind: str) -> dict[str, Any]:
    """Keys of a first stage of diffusers for its scale and shift.

    Args:
        weights: Weights of a first stage of ours, by name.
        kind: Class of diffusers; other classes than 'AutoencoderKL' have
            one factor alone.

    Raises:
        ValueError: If there is one factor alone, and each channel has its
            own, or latents are shifted.
    """
    scale, shift = _numbers(weights, 'scale'), _numbers(weights, 'shift')
    one_scale, one_shift = len({*scale}) == 1, len({*shift}) == 1
    if kind != KL:
        _check(kind, dict(shift=shift) if any(shift) else {})
        _check(kind, {} if one_scale else dict(scale=scale))
        return dict(scaling_factor=scale[0])
    if one_scale and one_shift:
        return dict(
            scaling_factor=scale[0],
            shift_factor=shift[0] if shift[0] else None,
        )
    return dict(
        scaling_factor=1.0,
        shift_factor=None,
        latents_mean=shift,
        latents_std=[1 / value for value in scale],
    )


def _numbers(weights: Mapping[str, Tensor], name: str) -> list[float]:
    """The shortest decimal numbers that round to the stored float32."""
    values = weights[f'latent_{name}'].flatten().float().cpu().numpy()
    return [float(str(value)) for value in values]


def _check(kind: str, values: Mapping[str, list[float]]) -> None:
    """Raise if there is a value that a class cannot express."""
    for name, numbers in values.items():
        raise ValueError(
            f'autoencoder.latent_{name}={numbers} has no counterpart in '
            f'{kind} of diffusers: its pipelines have one factor for all '
            f'channels and no shift: {REMEDY}'
        )


def fold_latent_scale(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """The same first stage with one scale and no shift.

    Pipelines of latent diffusion use only ``scaling_factor``. In an
    ``AutoencoderKL``, all other scales and shifts are moved into the 1x1
    convolutions on both sides of the latents, which are added if there are
    none. This changes neither latents nor images. Other first stages stay
    unchanged, as the nearest code depends on the scale of each channel;
    :func:`scale_keys` raises for them.

    Args:
        weights: Weights of a first stage of ours, by name.
        config: Config of the first stage.

    Returns:
        The weights and their config, and sentences about the moved scale.
    """
    keys = ['scaling_factor']
    if config['type'] == KL:
        given = scale_keys(weights, KL)
        keys = [key for key, value in given.items() if value is not None]
    if keys == ['scaling_factor']:
        return dict(weights), dict(config), []
    weights, config = _with_convolutions(weights, config)
    weights |= _folded(weights)
    note = (
        'latent_scale and latent_shift of each channel are part of '
        'quant_conv and post_quant_conv: latents are the same, and '
        'scaling_factor=1'
    )
    return weights, config, [note]


def _folded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions that scale and shift; means precede log-variances."""
    kind = weights['quant_conv.weight'].dtype
    scale = weights['latent_scale'].double().flatten()
    shift = weights['latent_shift'].double().flatten()
    into, into_bias, out, out_bias = (
        weights[f'{name}.{part}'].double()
        for name in POINTWISE
        for part in ('weight', 'bias')
    )
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
    return {name: weight.to(kind) for name, weight in folded.items()}


def _with_convolutions(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A first stage with both 1x1 convolutions; missing ones do nothing."""
    weights, channels = dict(weights), len(weights['latent_scale'])
    like = next(w for n, w in weights.items() if n.startswith('encoder.'))
    for name, size in zip(POINTWISE, (2 * channels, channels), strict=True):
        if f'{name}.weight' not in weights:
            unit = torch.eye(size)[:, :, None, None]
            weights[f'{name}.weight'] = unit.to(like)
            weights[f'{name}.bias'] = torch.zeros(size).to(like)
    return weights, {**config, **dict.fromkeys(POINTWISE, True)}
