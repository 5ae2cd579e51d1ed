"""Variance-preserving schedules, given by a table of betas."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive
from mmldm.utils.typing import ConfigType

from ..functional import NoiseLevel
from .base import TABLE, NoiseSchedule, as_float64


class DiscreteSchedule(NoiseSchedule):
    """Variance-preserving schedule given by a table of betas.

    Between the integers, the log-SNR is interpolated linearly, as in
    DPM-Solver (Lu et al. 2022, app. D.4, arXiv:2206.00927).

    Args:
        betas: Variance added at each step, (num_timesteps,), in (0, 1).
    """

    def __init__(self, betas: Tensor) -> None:
        if betas.ndim != 1:
            raise ValueError(
                f'betas have the shape {tuple(betas.shape)}, expected '
                '(num_timesteps,): give one number for each step'
            )
        super().__init__(len(betas))
        if not ((betas > 0) & (betas < 1)).all():
            raise ValueError(
                f'betas in [{float(betas.min()):g}, {float(betas.max()):g}] '
                'must be in (0, 1); for a last beta of 1, use ZeroTerminalSNR'
            )
        alpha_bar = torch.cumprod(1 - betas.double(), dim=0)
        # Both terms come from alpha_bar: in float64, 1 - alpha_bar loses no
        # digits at these sizes.
        self._log_snr = alpha_bar.log() - (-alpha_bar).log1p()

    def __call__(self, t: Tensor | float) -> NoiseLevel:
        t = as_float64(t)
        end = len(self._log_snr) - 1
        below = t.floor().clamp(0, end).long()
        above = (below + 1).clamp(max=end)
        log_snr = torch.lerp(
            self._log_snr[below], self._log_snr[above], t - below
        )
        return NoiseLevel(
            t, log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt()
        )

    def timestep(self, fraction: Tensor) -> Tensor:
        return (fraction * self.num_timesteps).floor()


@DIFFUSION_SCHEDULERS.register_module()
class ScaledLinearBetas(DiscreteSchedule):
    """Betas with equally spaced square roots, as in latent diffusion.

    The original code calls them 'linear'; Rombach et al. 2022, app. B.

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
class SqrtBetas(DiscreteSchedule):
    """Betas that are square roots of equally spaced numbers.

    The original code calls them 'sqrt'.

    Args:
        start: Square of the first beta, in (0, 1).
        end: Square of the last beta, in (0, 1).
        num_timesteps: Length of the table.
    """

    def __init__(
        self, start: float, end: float, num_timesteps: int = 1000
    ) -> None:
        super().__init__(
            torch.linspace(start, end, num_timesteps, **TABLE).sqrt()
        )


@DIFFUSION_SCHEDULERS.register_module()
class CustomBetas(DiscreteSchedule):
    """A given list of betas.

    Args:
        betas: Variance added at each step, in (0, 1).
    """

    def __init__(self, betas: Sequence[float]) -> None:
        super().__init__(as_float64(betas))


@DIFFUSION_SCHEDULERS.register_module()
class CosineSchedule(DiscreteSchedule):
    """A squared cosine for alpha_bar; Nichol & Dhariwal 2021, eq. 17.

    Args:
        offset: Keeps the first betas above 0, > 0.
        max_beta: Upper limit of betas, which avoids a singular last step.
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
        super().__init__(betas_of(alpha_bar).clamp(max=max_beta))


@DIFFUSION_SCHEDULERS.register_module()
class ZeroTerminalSNR(DiscreteSchedule):
    """Another schedule, changed to end in pure noise; Lin et al. 2024, alg. 1.

    arXiv:2305.08891. alpha is shifted and scaled so that the first value is
    kept and the last is 0, where log-SNR is -inf. Between the last two times,
    alpha falls linearly.

    Args:
        noise_schedule: Config of a schedule with a table of betas.
    """

    def __init__(self, noise_schedule: ConfigType) -> None:
        given = DIFFUSION_SCHEDULERS.build(noise_schedule)
        if not isinstance(given, DiscreteSchedule) or given.num_timesteps < 2:
            raise ValueError(
                f'ZeroTerminalSNR.noise_schedule={noise_schedule} must have a '
                'table of two or more betas: use a schedule such as '
                'ScaledLinearBetas'
            )
        alpha = given(torch.arange(given.num_timesteps)).alpha
        alpha = (alpha - alpha[-1]) * alpha[0] / (alpha[0] - alpha[-1])
        # Without the last level, whose log-SNR cannot be interpolated.
        alpha_bar = torch.cat([alpha.new_ones(1), alpha[:-1].square()])
        super().__init__(betas_of(alpha_bar))
        self.num_timesteps = given.num_timesteps

    def __call__(self, t: Tensor | float) -> NoiseLevel:
        level = super().__call__(t)
        # 1 except in the last interval, where the table's end is continued.
        left = (self.last - level.t).clamp(max=1)
        alpha = left * level.alpha
        return NoiseLevel(level.t, alpha, (1 - alpha.square()).sqrt())


def betas_of(alpha_bar: Tensor) -> Tensor:
    """Betas from alpha_bar, (num_timesteps + 1,), which starts with 1."""
    return 1 - alpha_bar[1:] / alpha_bar[:-1]
