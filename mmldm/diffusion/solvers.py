"""Solvers: from noise to a clean latent along a time grid.

Each is a whole algorithm without state between calls and knows neither of
guidance nor of networks: ``denoise(z, level)`` is the estimate of z_0.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils.typing import DrawNoise

from .functional import NoiseLevel

Denoise = Callable[[Tensor, NoiseLevel], Tensor]


class Solver(ABC):
    """Solves back from ``levels[0]`` to ``levels[-1]``."""

    @abstractmethod
    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        """The latent at the last level, (B, C, h, w).

        Args:
            denoise: (z, level) -> estimate of z_0, of z's shape.
            z: Latent at ``levels[0]``, (B, C, h, w).
            levels: Decreasing in noise; the last may be clean.
            draw_noise: Fresh noise at every call; stochastic solvers only.
        """


@DIFFUSION_SCHEDULERS.register_module()
class DDIM(Solver):
    """Song et al. 2021, eq. 12 (arXiv:2010.02502).

    Args:
        eta: 0 is the deterministic path, 1 is DDPM's ancestral sampling.
    """

    def __init__(self, eta: float = 0.0) -> None:
        if not 0 <= eta <= 1:
            raise ValueError(f'eta={eta} must be in [0, 1]')
        self.eta = eta

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        for cur, nxt in pairwise(levels):
            z_0 = denoise(z, cur)
            noise = (z - cur.alpha * z_0) / cur.sigma
            fresh = self._fresh_sigma(cur, nxt)
            kept = (nxt.sigma.square() - fresh.square()).sqrt()
            z = nxt.alpha * z_0 + kept * noise
            if fresh > 0:
                z = z + fresh * draw_noise(z)
        return z

    def _fresh_sigma(self, cur: NoiseLevel, nxt: NoiseLevel) -> Tensor:
        """Standard deviation of the new noise of a step; eq. 16."""
        # Of the variance at cur, what the step from nxt to cur added.
        ratio = cur.alpha / nxt.alpha
        added = cur.sigma.square() - ratio.square() * nxt.sigma.square()
        return self.eta * nxt.sigma / cur.sigma * added.clamp(min=0).sqrt()


@DIFFUSION_SCHEDULERS.register_module()
class Heun(Solver):
    """Second order, two evaluations a step; Karras et al. 2022, alg. 1.

    The last step, to the clean level, is Euler's. In the variable z / alpha
    over sigma / alpha, so that any schedule is EDM's.
    """

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        for cur, nxt in pairwise(levels):
            step = nxt.sigma / nxt.alpha - cur.sigma / cur.alpha
            scaled = z / cur.alpha
            slope = self._slope(denoise, z, cur)
            z = nxt.alpha * (scaled + step * slope)
            if nxt.sigma > 0:
                slope = (slope + self._slope(denoise, z, nxt)) / 2
                z = nxt.alpha * (scaled + step * slope)
        return z

    @staticmethod
    def _slope(denoise: Denoise, z: Tensor, level: NoiseLevel) -> Tensor:
        return (z - level.alpha * denoise(z, level)) / level.sigma


@DIFFUSION_SCHEDULERS.register_module()
class DPMSolverPP2M(Solver):
    """DPM-Solver++(2M): second order, one evaluation a step.

    Lu et al. 2022, alg. 2 (arXiv:2211.01095). First and last step, which
    have no second estimate or end at the clean level, are of first order.
    """

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        previous = None  # (estimate, width) of the step before
        for cur, nxt in pairwise(levels):
            z_0 = denoise(z, cur)
            width = (nxt.log_snr - cur.log_snr) / 2
            estimate = z_0
            if previous is not None and nxt.sigma > 0:
                last_z_0, last_width = previous
                estimate = z_0 + width / (2 * last_width) * (z_0 - last_z_0)
            z = (
                nxt.sigma / cur.sigma * z
                - nxt.alpha * torch.expm1(-width) * estimate
            )
            previous = z_0, width
        return z
