"""Adams-Bashforth methods: the noise extrapolated from the last steps'.

Where sigma / alpha falls by equal steps they are of the order that they are
named after, from the step on that has enough noise to look back on: the first
step of iPNDM is Euler's, whose error, small where noise is all, is of order 2
over the whole path. The coefficients stay these on any grid, as their papers
have it.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel
from .solver import (
    Denoise,
    Solver,
    euler_step,
    leave_pure_noise,
    predict_noise,
)

# By order, the newest first.
WEIGHTS = (
    (1,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


@DIFFUSION_SCHEDULERS.register_module()
class IPNDM(Solver):
    """iPNDM; Zhang & Chen 2023 (arXiv:2204.13902).

    One evaluation a step; the first steps are of orders 1, 2, 3.

    Args:
        order: Number of steps whose noise counts, in [1, 4].
    """

    def __init__(self, order: int = 4) -> None:
        if order not in (1, 2, 3, 4):
            raise ValueError(f'order={order!r} must be 1, 2, 3 or 4')
        self.order = order

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        z, levels = leave_pure_noise(denoise, z, levels)
        past = []
        for cur, nxt in pairwise(levels):
            past = [predict_noise(denoise, z, cur), *past][: self.order]
            noise = self.mean_noise(denoise, z, past, cur, nxt)
            z = euler_step(z, noise, cur, nxt)
        return z

    def mean_noise(
        self,
        denoise: Denoise,
        z: Tensor,
        past: Sequence[Tensor],
        cur: NoiseLevel,
        nxt: NoiseLevel,
    ) -> Tensor:
        """What the noise is over the step from cur to nxt, (B, C, h, w).

        Args:
            denoise: See :class:`Solver`.
            z: Latent at cur, (B, C, h, w).
            past: Noise at cur and before, the newest first.
            cur: Where the step begins.
            nxt: Where it leads.
        """
        weights = WEIGHTS[len(past) - 1]
        return sum(w * noise for w, noise in zip(weights, past, strict=True))


@DIFFUSION_SCHEDULERS.register_module()
class PLMS(IPNDM):
    """Pseudo linear multistep; Liu et al. 2022 (arXiv:2202.09778).

    As in the original latent diffusion code the first step is of second
    order, by an evaluation more: num_steps + 1 in all.
    """

    def __init__(self) -> None:
        super().__init__(order=4)

    def mean_noise(
        self,
        denoise: Denoise,
        z: Tensor,
        past: Sequence[Tensor],
        cur: NoiseLevel,
        nxt: NoiseLevel,
    ) -> Tensor:
        """In the first step the mean of both ends, unless one is clean."""
        if len(past) > 1 or nxt.sigma == 0:
            return super().mean_noise(denoise, z, past, cur, nxt)
        guess = euler_step(z, past[0], cur, nxt)
        return (past[0] + predict_noise(denoise, guess, nxt)) / 2
