"""The time grids of diffusers."""

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_choice, check_range

from .functional import NoiseLevel
from .noise_schedules import TABLE, DiscreteSchedule, NoiseSchedule
from .time_grids import TimeGrid, unbind

SPACINGS = ('leading', 'linspace', 'trailing')


@DIFFUSION_SCHEDULERS.register_module()
class DiffusersGrid(TimeGrid):
    """What a scheduler of diffusers visits, for its numbers.

    Lin et al. 2024, table 2, as rounded there. Its DDIM and PNDM step from t
    to t - T // num_steps, which is the next time where the spacing is leading
    or num_steps divides T; here every step leads to the next time.

    Args:
        spacing: 'leading', 'linspace' or 'trailing', ``timestep_spacing``
            there.
        offset: The last time of leading ones, ``steps_offset`` there.
        to_clean: The last step leads to the clean level; without it to the
            schedule's first (alpha^2 = 0.9985 in the original models), as
            with ``set_alpha_to_one=False`` or ``final_sigmas_type``
            'sigma_min' there.
        spare_zero: Leading and linspace times are spaced as if time 0, which
            is left out, were one more: DPM-Solver and UniPC there.
        rounded: Times are whole; without it linspace times are not, and
            sigma / alpha is linear between whole ones: Euler and Heun there.
        unit_start: Sampling starts from noise itself; without it from sigma_T
            times noise, as Euler and Heun do there unless the spacing is
            leading.
    """

    def __init__(
        self,
        spacing: str = 'leading',
        offset: int = 0,
        to_clean: bool = True,
        spare_zero: bool = False,
        rounded: bool = True,
        unit_start: bool = True,
    ) -> None:
        check_choice('DiffusersGrid.spacing', spacing, SPACINGS)
        check_range('offset', offset, 0, float('inf'))
        self.spacing = spacing
        self.offset = offset
        self.to_clean = to_clean
        self.spare_zero = spare_zero
        self.rounded = rounded
        self.unit_start = unit_start

    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        if not isinstance(schedule, DiscreteSchedule):
            raise ValueError(
                f'DiffusersGrid has no times on {type(schedule).__name__}: '
                'take a schedule with a table of betas, or another grid'
            )
        times = self._times(schedule.num_timesteps, num_steps)
        if times[0] > schedule.last:
            raise ValueError(
                f'offset={self.offset} with num_steps={num_steps} visits '
                f'time {times[0]:g}, but {type(schedule).__name__} ends at '
                f'{schedule.last:g}: take fewer steps or a smaller offset'
            )
        return unbind(_level(schedule, times))

    def last_level(self, schedule: NoiseSchedule) -> NoiseLevel:
        """The clean level, or the schedule's first."""
        return schedule.clean() if self.to_clean else schedule(0)

    def _times(self, length: int, num_steps: int) -> Tensor:
        """Decreasing, (num_steps,)."""
        steps = torch.arange(num_steps, **TABLE)
        spaced = num_steps + self.spare_zero
        if self.spacing == 'trailing':
            return (length - steps * (length / num_steps)).round() - 1
        if self.spacing == 'leading':
            stride = length // spaced
            return (steps.flip(0) + self.spare_zero) * stride + self.offset
        # Not torch's linspace, of which a half may come out less.
        stride = (length - 1) / max(spaced - 1, 1)
        times = (steps.flip(0) + self.spare_zero) * stride
        if spaced > 1:
            times[0] = length - 1  # without round-off, as numpy has it
        return times.round() if self.rounded else times


def _level(schedule: DiscreteSchedule, times: Tensor) -> NoiseLevel:
    """The level at any times, sigma / alpha linear between whole ones."""
    below, above = schedule(times.floor()), schedule(times.ceil())
    ratio = torch.lerp(
        below.sigma / below.alpha,
        above.sigma / above.alpha,
        times - below.t,
    )
    alpha = (1 + ratio.square()).rsqrt()
    # At a whole time the level is the table's: its ratio may be infinite.
    whole = below.t == above.t
    return NoiseLevel(
        times,
        torch.where(whole, below.alpha, alpha),
        torch.where(whole, below.sigma, ratio * alpha),
    )
