"""The time grid of the original latent diffusion code."""

import torch

from mmldm.registry import DIFFUSION_SCHEDULERS

from .functional import NoiseLevel
from .noise_schedules import TABLE, NoiseSchedule
from .time_grids import TimeGrid, unbind


@DIFFUSION_SCHEDULERS.register_module()
class CompVisGrid(TimeGrid):
    """The grid of the original latent diffusion code, to reproduce it.

    The stride T // num_steps is rounded down, times are 1 too late, and the
    last step leads to the schedule's first level (alpha^2 = 0.9985), not to
    the clean one. Unlike other grids, it may run *more steps than num_steps*
    (8 for 7): as many as fit, and exactly num_steps if that divides T.
    Sampling starts from unit noise, not from sigma_T times noise.
    """

    unit_start = True

    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        length = schedule.num_timesteps
        times = self._times(length, num_steps)
        if times[0] > schedule.last:
            raise ValueError(
                f'num_steps={num_steps} gives time {times[0]} on '
                f'CompVisGrid, but {type(schedule).__name__} ends at '
                f'{schedule.last:g}: set num_steps to '
                f'{" or ".join(map(str, self._exact(length, num_steps)))}'
            )
        return unbind(schedule(torch.tensor(times, **TABLE)))

    def last_level(self, schedule: NoiseSchedule) -> NoiseLevel:
        """The schedule's first level."""
        return schedule(0)

    @staticmethod
    def _times(length: int, num_steps: int) -> list[int]:
        return [t + 1 for t in range(0, length, length // num_steps)][::-1]

    def _exact(self, length: int, num_steps: int) -> list[int]:
        """The nearest valid numbers of steps, below and above."""
        runs = [n for n in range(1, length // 2 + 1) if length % n == 0]
        below = [n for n in runs if n < num_steps][-1:]
        return below + [n for n in runs if n > num_steps][:1]
