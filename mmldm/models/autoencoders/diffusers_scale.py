"""Scale and shift of latents, by the keys of autoencoders of diffusers."""

from collections.abc import Mapping, Sequence
from typing import Any

Numbers = float | Sequence[float]


def scale_and_shift(config: Mapping[str, Any]) -> tuple[Numbers, Numbers]:
    """Our ``latent_scale`` and ``latent_shift``.

    Pipelines of diffusers compute (z - latents_mean) * scaling_factor /
    latents_std, or (z - shift_factor) * scaling_factor.

    Args:
        config: Config of an autoencoder of diffusers, with ``scaling_factor``
            if it has one.

    Returns:
        One number each, or one per channel.

    Raises:
        ValueError: If keys are missing, or contradict each other.
    """
    scale, shift, mean, std = (
        config.get(key)
        for key in (
            'scaling_factor',
            'shift_factor',
            'latents_mean',
            'latents_std',
        )
    )
    scale, shift = 1.0 if scale is None else scale, shift or 0.0
    if (mean is None) != (std is None) or (mean is not None and shift):
        raise ValueError(
            f'latents_mean={mean} with latents_std={std} and shift_factor='
            f'{shift} is ambiguous: keep latents_mean and latents_std, or '
            'shift_factor alone'
        )
    if mean is None:
        return scale, shift
    if len(mean) != len(std) or not min(std, default=0) > 0:
        raise ValueError(
            f'latents_std={list(std)} with latents_mean={list(mean)}: '
            'expected one number for each channel, deviations above 0'
        )
    return tuple(scale / value for value in std), tuple(mean)
