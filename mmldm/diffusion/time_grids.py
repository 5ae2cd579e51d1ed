"""Time grids: the noise levels of sampling.

Each is a map ``(schedule, num_steps) -> levels`` to num_steps + 1 levels with
strictly decreasing noise, from noise to clean.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_range

from .functional import NoiseLevel
from .noise_schedules import TABLE, NoiseSchedule


class TimeGrid(ABC):
    """Base class of time grids; a subclass gives the noisy levels."""

    # Start sampling with the variance that latents have in training, 1 for
    # unit z_0, instead of the variance of their noise, sigma_T^2.
    unit_start = False

    def start_std(self, level: NoiseLevel) -> Tensor:
        """Standard deviation of the noise at the start of sampling, ().

        Args:
            level: First level of sampling.
        """
        if self.unit_start:
            return (level.alpha.square() + level.sigma.square()).sqrt()
        return level.sigma

    def __call__(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        """The num_steps + 1 levels, each of shape ().

        Raises:
            ValueError: If num_steps is not in [1, num_timesteps], or noise
                does not fall strictly.
        """
        longest = round(schedule.num_timesteps / schedule.unit)
        if not isinstance(num_steps, int) or not 1 <= num_steps <= longest:
            raise ValueError(
                f'num_steps={num_steps!r} must be in [1, {longest}], the '
                'length of the schedule, and a whole number'
            )
        levels = self.noisy_levels(schedule, num_steps)
        levels = [*levels, self.last_level(schedule)]
        self._check(levels, schedule, num_steps)
        return levels

    @abstractmethod
    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        """The ``num_steps`` levels before the last one."""

    def last_level(self, schedule: NoiseSchedule) -> NoiseLevel:
        """The level at the end of the last step: clean."""
        return schedule.clean()

    def _check(
        self,
        levels: Sequence[NoiseLevel],
        schedule: NoiseSchedule,
        num_steps: int,
    ) -> None:
        """Raise unless levels are finite and noise falls strictly.

        The first level may be pure noise. The last may be clean, or a copy of
        the level before it, as in diffusers without ``set_alpha_to_one``.
        """
        where = (
            f'{type(self).__name__} with num_steps={num_steps} on '
            f'{type(schedule).__name__}'
        )
        t, alpha, sigma = table = torch.stack(
            [torch.stack([x.t, x.alpha, x.sigma]) for x in levels], dim=1
        )
        bad = ~(table.isfinite() & (table >= 0)).all(0)
        if bad.any():
            i = int(bad.nonzero()[0])
            raise ValueError(
                f'{where} has an invalid level {i}: expected finite numbers '
                f'>= 0, got t={t[i]:g}, alpha={alpha[i]:g}, '
                f'sigma={sigma[i]:g}: use another grid or number of steps'
            )
        # Written so that NaN, from alpha = sigma = 0, fails too.
        rise = NoiseLevel(t, alpha, sigma).log_snr.diff()
        falls = (rise[:-1] > 0).all() and (
            rise[-1] > 0 or alpha[-1] / sigma[-1] == alpha[-2] / sigma[-2]
        )
        if not falls or sigma[-2] == 0:
            raise ValueError(
                f'{where} does not fall to the clean level: use fewer '
                'steps, an end nearer to 0, or another grid'
            )


class UniformGrid(TimeGrid):
    """Equally spaced times; a subclass defines their ends."""

    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        times = self.times(schedule, num_steps)
        if schedule(times[-1]).sigma == 0:  # already clean: move it back
            times[-1] = (times[-2:-1].sum() + times[-1]) / 2
        if schedule(schedule.last).alpha == 0:
            # No time may lie between pure noise and the time before it, where
            # log-SNR is infinite.
            before = schedule.last - schedule.unit
            times = torch.where(times > before, schedule.last, times)
            times[1:].clamp_(max=before)
        return unbind(schedule(times))

    @abstractmethod
    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        """Decreasing times in (0, schedule.last], (num_steps,)."""


@DIFFUSION_SCHEDULERS.register_module()
class LeadingGrid(UniformGrid):
    """Times from one stride below the noisy end to ``offset``.

    DDIM's grid (Song et al. 2021), without the original code's rounding of
    the stride.

    Args:
        offset: The last noisy time, in units of the schedule; it is smaller if
            the stride is smaller.
        unit_start: Start from unit noise, not from sigma_T times noise. With
            few steps, T is far from the noisy end, and the result lacks the
            missing variance: for Stable Diffusion's betas and data of
            deviation 1, its deviation is 0.972 with 4 steps and 0.993 with
            10.
    """

    def __init__(self, offset: float = 1.0, unit_start: bool = False) -> None:
        check_range('offset', offset, 0, math.inf)
        self.offset = offset
        self.unit_start = unit_start

    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        stride = schedule.num_timesteps / num_steps
        # A small stride must leave room for the offset.
        offset = min(self.offset * schedule.unit, stride - schedule.unit)
        steps = torch.arange(num_steps, **TABLE).flip(0)
        return steps * stride + offset


@DIFFUSION_SCHEDULERS.register_module()
class TrailingGrid(UniformGrid):
    """Times from the noisy end on; Lin et al. 2024, table 2."""

    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        stride = (schedule.last + schedule.unit) / num_steps
        steps = torch.arange(num_steps, **TABLE)
        return schedule.last - steps * stride


@DIFFUSION_SCHEDULERS.register_module()
class LinspaceGrid(UniformGrid):
    """Times from the noisy end to one stride above time 0."""

    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        ends = torch.linspace(schedule.last, 0, num_steps + 1, **TABLE)
        return ends[:-1]


@DIFFUSION_SCHEDULERS.register_module()
class CustomTimes(TimeGrid):
    """Given times, followed by the clean level.

    Args:
        times: Decreasing times, >= 0, one for each step.
    """

    def __init__(self, times: Sequence[float]) -> None:
        if not times or any(later >= time for time, later in pairwise(times)):
            raise ValueError(
                f'times={list(times)} must decrease: give one or more, from '
                'noise to clean, each once'
            )
        self.times = times

    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        if num_steps != len(self.times):
            raise ValueError(
                f'CustomTimes has {len(self.times)} times, but '
                f'num_steps={num_steps}: set num_steps={len(self.times)}'
            )
        first, last = self.times[0], self.times[-1]
        if not 0 <= last <= first <= schedule.last:
            raise ValueError(
                f'times from {first} to {last} must be in [0, '
                f'{schedule.last:g}], the times of {type(schedule).__name__}'
            )
        return unbind(schedule(torch.tensor(self.times, **TABLE)))


def unbind(levels: NoiseLevel) -> list[NoiseLevel]:
    """Split a level of shape (N,) into N levels of shape ()."""
    return [
        NoiseLevel(*values)
        for values in zip(levels.t, levels.alpha, levels.sigma, strict=True)
    ]
