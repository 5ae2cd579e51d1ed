"""Noise schedules: time -> :class:`NoiseLevel`.

Every schedule runs over t in [0, num_timesteps); tables are float64: with
DDPM's betas, float32 puts the SNR at t = 0 off by 1.7e-4.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive

from .functional import NoiseLevel

# Tables are numbers, not weights: on the CPU under ``torch.device('meta')``
# too.
TABLE = dict(dtype=torch.float64, device='cpu')


def _as_float64(value: Tensor | float) -> Tensor:
    return torch.as_tensor(value, **TABLE)


class NoiseSchedule(ABC):
    """Maps time to a noise level, and back from a log-SNR.

    Args:
        num_timesteps: End of the time axis, > 0.
    """

    def __init__(self, num_timesteps: int = 1000) -> None:
        check_positive('num_timesteps', num_timesteps)
        self.num_timesteps = num_timesteps

    @property
    def last(self) -> float:
        """The largest time that exists, the start of sampling."""
        return self.num_timesteps - 1

    @abstractmethod
    def __call__(self, t: Tensor | float) -> NoiseLevel:
        """The level at time ``t``, of any shape, in [0, :attr:`last`]."""

    @abstractmethod
    def at_log_snr(self, log_snr: Tensor | float) -> NoiseLevel:
        """The level of this log(alpha^2 / sigma^2); inverse in t."""

    @abstractmethod
    def timestep(self, fraction: Tensor) -> Tensor:
        """A training time for a fraction in [0, 1) of the time axis."""

    def clean(self) -> NoiseLevel:
        """The level of a latent without noise, where sampling ends."""
        return NoiseLevel(*map(_as_float64, (0.0, 1.0, 0.0)))


class DiscreteSchedule(NoiseSchedule):
    """Variance-preserving schedule given by a table of betas.

    Between the integers the log-SNR is interpolated linearly, as
    DPM-Solver does (Lu et al. 2022, app. D.4, arXiv:2206.00927).

    Args:
        betas: Variance added at each step, (num_timesteps,), in (0, 1).
    """

    def __init__(self, betas: Tensor) -> None:
        super().__init__(len(betas))
        if not ((betas > 0) & (betas < 1)).all():
            raise ValueError(
                f'betas in [{float(betas.min()):g}, {float(betas.max()):g}] '
                'must lie in (0, 1)'
            )
        alpha_bar = torch.cumprod(1 - betas.double(), dim=0)
        # Both ends of the ratio from alpha_bar itself: 1 - alpha_bar loses
        # no digits in float64 at these sizes.
        self._log_snr = alpha_bar.log() - (-alpha_bar).log1p()

    def __call__(self, t: Tensor | float) -> NoiseLevel:
        t = _as_float64(t)
        below = t.floor().clamp(0, self.last).long()
        above = (below + 1).clamp(max=int(self.last))
        log_snr = torch.lerp(
            self._log_snr[below], self._log_snr[above], t - below
        )
        return self._level(t, log_snr)

    def at_log_snr(self, log_snr: Tensor | float) -> NoiseLevel:
        log_snr = _as_float64(log_snr)
        rising = self._log_snr.flip(0)
        above = torch.searchsorted(rising, log_snr).clamp(
            1, self.num_timesteps - 1
        )
        low, high = rising[above - 1], rising[above]
        steps_down = above - 1 + (log_snr - low) / (high - low)
        return self._level(self.last - steps_down, log_snr)

    def timestep(self, fraction: Tensor) -> Tensor:
        return (fraction * self.num_timesteps).floor()

    @staticmethod
    def _level(t: Tensor, log_snr: Tensor) -> NoiseLevel:
        return NoiseLevel(
            t, log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt()
        )


@DIFFUSION_SCHEDULERS.register_module()
class ScaledLinearBetas(DiscreteSchedule):
    """Betas whose square roots are equally spaced: latent diffusion's own.

    The original code calls it 'linear'; Rombach et al. 2022, app. B.

    Args:
        start: First beta, in (0, 1).
        end: Last beta, in (0, 1).
        num_timesteps: Length of the table.
    """

    def __init__(
        self,
        start: float = 0.0015,
        end: float = 0.0195,
        num_timesteps: int = 1000,
    ) -> None:
        super().__init__(
            torch.linspace(
                start**0.5, end**0.5, num_timesteps, **TABLE
            ).square()
        )


@DIFFUSION_SCHEDULERS.register_module()
class LinearBetas(DiscreteSchedule):
    """Equally spaced betas; Ho et al. 2020, section 4.

    Args:
        start: First beta, in (0, 1).
        end: Last beta, in (0, 1).
        num_timesteps: Length of the table.
    """

    def __init__(
        self, start: float = 1e-4, end: float = 0.02, num_timesteps: int = 1000
    ) -> None:
        super().__init__(torch.linspace(start, end, num_timesteps, **TABLE))


@DIFFUSION_SCHEDULERS.register_module()
class CosineSchedule(DiscreteSchedule):
    """alpha_bar falls as a squared cosine; Nichol & Dhariwal 2021, eq. 17.

    Args:
        offset: Keeps the first betas from vanishing, > 0.
        max_beta: Betas are clipped here, against a singular last step.
        num_timesteps: Length of the table.
    """

    def __init__(
        self,
        offset: float = 0.008,
        max_beta: float = 0.999,
        num_timesteps: int = 1000,
    ) -> None:
        check_positive('offset', offset)
        time = torch.linspace(0, 1, num_timesteps + 1, **TABLE)
        alpha_bar = (
            ((time + offset) / (1 + offset) * math.pi / 2).cos().square()
        )
        super().__init__(
            (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)
        )


@DIFFUSION_SCHEDULERS.register_module()
class RectifiedFlow(NoiseSchedule):
    """Straight paths: alpha = 1 - t/T, sigma = t/T; Liu et al. 2022.

    arXiv:2209.03003, eq. 1. Time is continuous in (0, T).

    Args:
        num_timesteps: T, which only scales what the network is told.
    """

    # Nearer to the ends the SNR of float32 latents is no number any more.
    MARGIN = 1e-3

    @property
    def last(self) -> float:
        return self.num_timesteps * (1 - self.MARGIN)

    def __call__(self, t: Tensor | float) -> NoiseLevel:
        t = _as_float64(t)
        sigma = t / self.num_timesteps
        return NoiseLevel(t, 1 - sigma, sigma)

    def at_log_snr(self, log_snr: Tensor | float) -> NoiseLevel:
        sigma = (-_as_float64(log_snr) / 2).sigmoid()
        return NoiseLevel(self.num_timesteps * sigma, 1 - sigma, sigma)

    def timestep(self, fraction: Tensor) -> Tensor:
        inside = self.MARGIN + (1 - 2 * self.MARGIN) * fraction
        return self.num_timesteps * inside
