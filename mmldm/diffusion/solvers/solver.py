"""Base classes of solvers, and formulas that several solvers share.

A solver is a whole algorithm without state between calls. It knows neither
guidance nor networks: ``denoise(z, level)`` is the estimate of z_0.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel

Denoise = Callable[[Tensor, NoiseLevel], Tensor]
# (level, estimate of z_0 at this level).
Estimate = tuple[NoiseLevel, Tensor]


class Solver(ABC):
    """A solver from the noisy ``levels[0]`` to the last, clean level."""

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
            denoise: (z, level) -> estimate of z_0, with z's shape.
            z: Latent at ``levels[0]``, (B, C, h, w).
            levels: Levels with decreasing noise, each of shape (); the first
                may be pure noise (alpha = 0), the last clean (sigma = 0).
            draw_noise: Gives new noise at every call, for stochastic
                solvers.
        """


class MultistepSolver(Solver):
    """A solver with one evaluation a step; subclasses define :meth:`step`."""

    memory = 1  # number of estimates that a step uses

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        past = []
        for cur, nxt in pairwise(levels):
            past = [(cur, denoise(z, cur)), *past][: self.memory]
            z = self.step(z, past, nxt, draw_noise)
        return z

    @abstractmethod
    def step(
        self,
        z: Tensor,
        past: Sequence[Estimate],
        nxt: NoiseLevel,
        draw_noise: DrawNoise,
    ) -> Tensor:
        """The latent at ``nxt``, (B, C, h, w).

        Args:
            z: Latent at the level ``past[0]``, (B, C, h, w).
            past: 1 to ``memory`` levels and estimates, the newest first.
            nxt: Level at the end of the step.
            draw_noise: See :meth:`__call__`.
        """


def noise_in(z: Tensor, z_0: Tensor, level: NoiseLevel) -> Tensor:
    """The noise in z for the clean latent z_0, (B, C, h, w)."""
    return (z - level.alpha * z_0) / level.sigma


def predict_noise(denoise: Denoise, z: Tensor, level: NoiseLevel) -> Tensor:
    """The noise that the estimate of z_0 implies, (B, C, h, w)."""
    return noise_in(z, denoise(z, level), level)


def leave_pure_noise(
    denoise: Denoise, z: Tensor, levels: Sequence[NoiseLevel]
) -> tuple[Tensor, Sequence[NoiseLevel]]:
    """Latent and levels to start from, with finite sigma / alpha.

    A polynomial in sigma / alpha, or in its logarithm, cannot start at
    alpha = 0. A step of DDIM, which is exact for a constant estimate, leaves
    that level.
    """
    cur = levels[0]
    if cur.alpha > 0:
        return z, levels
    z_0 = denoise(z, cur)
    nxt = levels[1]
    z = nxt.alpha * z_0 + nxt.sigma * noise_in(z, z_0, cur)
    return z, levels[1:]
