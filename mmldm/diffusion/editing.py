"""Editing of given latents with any model: starts, ends and known regions.

All edits are in z_0 space, so that solvers and networks need not know them.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.utils import check_share

from .functional import NoiseLevel
from .solvers.solver import Denoise, predict_noise


def keep_known(denoise: Denoise, z_known: Tensor, mask: Tensor) -> Denoise:
    """Replace the estimate of z_0 by known latents in a region.

    With any solver and any noise, the known region ends at ``z_known``, and
    the rest is estimated from latents that hold it at the right noise level.
    This is inpainting and outpainting without training for them. Song et al.
    2021 (arXiv:2011.13456), app. I.2, in z_0 space.

    Args:
        denoise: (z_t, level) -> estimate of z_0.
        z_known: Clean latents, (B, C, h, w).
        mask: bool (B, 1, h, w), True where latents are known.
    """
    return lambda z, level: torch.where(mask, z_known, denoise(z, level))


def last_levels(
    levels: Sequence[NoiseLevel], strength: float
) -> Sequence[NoiseLevel]:
    """The last levels of a time grid, to start from an image, not from noise.

    SDEdit, Meng et al. 2022 (arXiv:2108.01073), section 3.

    Args:
        levels: The num_steps + 1 levels of the grid.
        strength: Share of the steps to keep, in (0, 1]; at least one step is
            kept.

    Raises:
        ValueError: If strength is out of range.
    """
    hint = ': near 0 keeps the image, 1 keeps little of it'
    check_share('strength', strength, hint=hint)
    num_steps = max(1, round(strength * (len(levels) - 1)))
    return levels[-num_steps - 1 :]


def invert(
    denoise: Denoise,
    z_0: Tensor,
    levels: Sequence[NoiseLevel],
    num_iters: int = 1,
) -> Tensor:
    """The latent at ``levels[0]`` whose sampling path ends at ``z_0``.

    The steps are DDIM's, backwards; Song et al. 2021, section 4.3, Dhariwal &
    Nichol 2021, app. F. Such a step needs the noise estimate at its noisy end,
    which is not known yet. The previous step's estimate is the first guess,
    and every iteration estimates again at the last result (Pan et al. 2023,
    arXiv:2309.04907). With many iterations, the result is the exact inverse of
    DDIM. With one, its error is of second order in the step, so that DDIM's
    own error dominates; this suits solvers of higher order best.

    Args:
        denoise: (z_t, level) -> estimate of z_0.
        z_0: Clean latents, (B, C, h, w).
        levels: Levels of the sampling path, from noise to clean.
        num_iters: Number of evaluations a step, >= 1.

    Raises:
        ValueError: If num_iters is less than 1.
    """
    if num_iters < 1:
        raise ValueError(f'num_iters={num_iters} must be 1 or more')
    z, noise = z_0, torch.zeros_like(z_0)
    for cur, nxt in pairwise(reversed(levels)):
        signal = nxt.alpha / cur.alpha
        added = nxt.sigma - signal * cur.sigma
        for _ in range(num_iters):
            z_t = signal * z + added * noise
            noise = predict_noise(denoise, z_t, nxt)
        z = signal * z + added * noise
    return z
