"""Which noise levels sampling visits.

``(schedule, num_steps) -> levels``: num_steps + 1 of them, from noise to
clean, strictly decreasing in noise; steps asked are steps run.
"""

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS

from .functional import NoiseLevel
from .noise_schedules import TABLE, NoiseSchedule


class TimeGrid(ABC):
    """The noisy levels of a subclass, and the clean one."""

    def __call__(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        """num_steps + 1 levels of shape ().

        Raises:
            ValueError: If num_steps is not in [1, num_timesteps], or two
                levels would be equally noisy.
        """
        if not 1 <= num_steps <= schedule.num_timesteps:
            raise ValueError(
                f'num_steps={num_steps} must be in [1, '
                f'{schedule.num_timesteps}], the length of the schedule'
            )
        levels = self.noisy_levels(schedule, num_steps)
        log_snr = [level.log_snr for level in levels]
        if levels[-1].sigma <= 0 or any(
            after <= before for before, after in pairwise(log_snr)
        ):
            raise ValueError(
                f'{type(self).__name__} with num_steps={num_steps} does not '
                f'fall to the clean level on {type(schedule).__name__}: take '
                'fewer steps, an end nearer to 0, or another grid'
            )
        return [*levels, schedule.clean()]

    @abstractmethod
    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        """The ``num_steps`` levels before the clean one."""


class UniformGrid(TimeGrid):
    """Equally spaced times; a subclass says where they begin and end."""

    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        return [schedule(t) for t in self.times(schedule, num_steps)]

    @abstractmethod
    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        """Decreasing times in (0, schedule.last], (num_steps,)."""


@DIFFUSION_SCHEDULERS.register_module()
class LeadingGrid(UniformGrid):
    """Starts one stride below the noisy end, ends at ``offset``.

    DDIM's grid (Song et al. 2021), without the original code's rounding of
    the stride.

    Args:
        offset: The last noisy time; less where the stride is below it.
    """

    def __init__(self, offset: float = 1.0) -> None:
        if offset < 0:
            raise ValueError(f'offset={offset} must be >= 0')
        self.offset = offset

    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        stride = schedule.num_timesteps / num_steps
        # A small stride leaves no room for the offset above the last step.
        offset = min(self.offset, stride - 1)
        steps = torch.arange(num_steps, **TABLE).flip(0)
        return steps * stride + offset


@DIFFUSION_SCHEDULERS.register_module()
class TrailingGrid(UniformGrid):
    """Starts at the noisy end; Lin et al. 2024, table 2."""

    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        stride = (schedule.last + 1) / num_steps
        steps = torch.arange(num_steps, **TABLE)
        return schedule.last - steps * stride


@DIFFUSION_SCHEDULERS.register_module()
class LinspaceGrid(UniformGrid):
    """From the noisy end to one stride above the clean end of time 0."""

    def times(self, schedule: NoiseSchedule, num_steps: int) -> Tensor:
        ends = torch.linspace(schedule.last, 0, num_steps + 1, **TABLE)
        return ends[:-1]


@DIFFUSION_SCHEDULERS.register_module()
class LogSNRGrid(TimeGrid):
    """Equally spaced in log-SNR, the variable of exponential solvers.

    Lu et al. 2022, section 3.4, arXiv:2206.00927.

    Args:
        last_time: Time of the last noisy level, a fraction of the time axis
            in (0, 1).
    """

    def __init__(self, last_time: float = 0.001) -> None:
        if not 0 < last_time < 1:
            raise ValueError(f'last_time={last_time} must be in (0, 1)')
        self.last_time = last_time

    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        noisy = schedule(schedule.last)
        if num_steps == 1:
            return [noisy]
        end = schedule(self.last_time * schedule.num_timesteps)
        log_snr = torch.linspace(
            float(noisy.log_snr), float(end.log_snr), num_steps, **TABLE
        )
        return [noisy, *map(schedule.at_log_snr, log_snr[1:])]
