"""What every solver is, and the formulas that several share.

A solver is a whole algorithm without state between calls and knows neither
of guidance nor of networks: ``denoise(z, level)`` is the estimate of z_0.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel

Denoise = Callable[[Tensor, NoiseLevel], Tensor]
# Where the path was, and what denoise said there.
Estimate = tuple[NoiseLevel, Tensor]


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
            levels: Decreasing in noise, of shape (); the first may be pure
                noise (alpha = 0), the last clean (sigma = 0).
            draw_noise: Fresh noise at every call; stochastic solvers only.
        """


class MultistepSolver(Solver):
    """One evaluation a step; a subclass is its :meth:`step`."""

    memory = 1  # estimates that a step uses

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
            z: Latent at ``past[0]``'s level, (B, C, h, w).
            past: 1 to ``memory`` levels and estimates, the newest first.
            nxt: Where the step leads.
            draw_noise: See :meth:`__call__`.
        """


def noise_in(z: Tensor, z_0: Tensor, level: NoiseLevel) -> Tensor:
    """The noise in z if z_0 is the clean latent, (B, C, h, w)."""
    return (z - level.alpha * z_0) / level.sigma


def predict_noise(denoise: Denoise, z: Tensor, level: NoiseLevel) -> Tensor:
    """The noise that the estimate of z_0 implies, (B, C, h, w)."""
    return noise_in(z, denoise(z, level), level)


def leave_pure_noise(
    denoise: Denoise, z: Tensor, levels: Sequence[NoiseLevel]
) -> tuple[Tensor, Sequence[NoiseLevel]]:
    """Latent and levels to go on from, where sigma / alpha is finite.

    At alpha = 0 no polynomial in it, or in its logarithm, can start:
    DDIM's step, which is exact for a constant estimate, leaves that level.
    """
    cur = levels[0]
    if cur.alpha > 0:
        return z, levels
    z_0 = denoise(z, cur)
    nxt = levels[1]
    z = nxt.alpha * z_0 + nxt.sigma * noise_in(z, z_0, cur)
    return z, levels[1:]
