"""Editing of given latents by any model: starts, ends and known regions.

All of it is in z_0 space, so that solvers and networks know nothing of it.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.utils import check_share

from .functional import NoiseLevel
from .solvers.solver import Denoise, predict_noise


def keep_known(denoise: Denoise, z_known: Tensor, mask: Tensor) -> Denoise:
    """Where something is known, the estimate of z_0 is that.

    With any solver, whatever it draws, the known region ends at
    ``z_known``, and the rest is estimated from latents that hold it at the
    right noise: inpainting and outpainting by a model that was trained for
    neither. Song et al. 2021 (arXiv:2011.13456), app. I.2, in z_0 space.

    Args:
        denoise: (z_t, level) -> estimate of z_0.
        z_known: Clean latents, (B, C, h, w).
        mask: True where they are known, bool (B, 1, h, w).
    """
    return lambda z, level: torch.where(mask, z_known, denoise(z, level))


def last_levels(
    levels: Sequence[NoiseLevel], strength: float
) -> Sequence[NoiseLevel]:
    """The end of a time grid, to start from an image in place of noise.

    SDEdit, Meng et al. 2022 (arXiv:2108.01073), section 3.

    Args:
        levels: num_steps + 1 of them.
        strength: Share of the steps that is left, in (0, 1]: 1 for all of
            them. At least one step is.

    Raises:
        ValueError: If strength is out of range.
    """
    hint = ': near 0 the image stays, at 1 little of it is left'
    check_share('strength', strength, hint=hint)
    num_steps = max(1, round(strength * (len(levels) - 1)))
    return levels[-num_steps - 1 :]


def invert(
    denoise: Denoise,
    z_0: Tensor,
    levels: Sequence[NoiseLevel],
    num_iters: int = 1,
) -> Tensor:
    """The latent at ``levels[0]`` from which sampling leads to ``z_0``.

    DDIM's steps backwards; Song et al. 2021, section 4.3, Dhariwal & Nichol
    2021, app. F. Such a step wants the noise that is estimated at its noisy
    end, which is not known yet: the step before has a first guess, and every
    iteration estimates it again where the last one led (Pan et al. 2023,
    arXiv:2309.04907). Iterated on it is the exact inverse of DDIM; one
    iteration is off by the square of the step, so that DDIM's own error
    dominates, and is nearest to what solvers of a higher order undo.

    Args:
        denoise: (z_t, level) -> estimate of z_0.
        z_0: Clean latents, (B, C, h, w).
        levels: As they are sampled: from noise to clean, the last clean.
        num_iters: Evaluations a step, >= 1.

    Raises:
        ValueError: If num_iters is less than 1.
    """
    if num_iters < 1:
        raise ValueError(f'num_iters={num_iters} must be at least 1')
    z, noise = z_0, torch.zeros_like(z_0)
    for cur, nxt in pairwise(reversed(levels)):
        signal = nxt.alpha / cur.alpha
        added = nxt.sigma - signal * cur.sigma
        for _ in range(num_iters):
            z_t = signal * z + added * noise
            noise = predict_noise(denoise, z_t, nxt)
        z = signal * z + added * noise
    return z
