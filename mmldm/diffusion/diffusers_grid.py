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
    """The times of a scheduler of diffusers, to reproduce its numbers.

    Lin et al. 2024, table 2, with diffusers' rounding. DDIM and PNDM of
    diffusers step from t to t - T // num_steps, which is the next time only if
    the spacing is leading or num_steps divides T; here every step leads to the
    next time.

    Args:
        spacing: 'leading', 'linspace' or 'trailing'; diffusers'
            ``timestep_spacing``.
        offset: The last of the leading times; diffusers' ``steps_offset``.
        to_clean: The last step leads to the clean level. False ends at the
            schedule's first level (alpha^2 = 0.9985 in the original models),
            as diffusers' ``set_alpha_to_one=False`` or
            ``final_sigmas_type='sigma_min'``.
        spare_zero: Leading and linspace times are spaced as if time 0 were one
            of them, but it is left out; so do diffusers' DPM-Solver and UniPC.
        rounded: Times are whole numbers. With False, linspace times are
            fractions, and sigma / alpha is linear between whole times; so do
            diffusers' Euler and Heun.
        unit_start: Sampling starts from unit noise. With False, it starts from
            sigma_T times noise, as diffusers' Euler and Heun do unless the
            spacing is leading.
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
                'DiffusersGrid is not available for '
                f'{type(schedule).__name__}: use a schedule with a table of '
                'betas, or another grid'
            )
        times = self._times(schedule.num_timesteps, num_steps)
        if times[0] > schedule.last:
            raise ValueError(
                f'offset={self.offset} with num_steps={num_steps} gives '
                f'time {times[0]:g}, but {type(schedule).__name__} ends at '
                f'{schedule.last:g}: use fewer steps or a smaller offset'
            )
        return unbind(_level(schedule, times))

    def last_level(self, schedule: NoiseSchedule) -> NoiseLevel:
        """The clean level, or the schedule's first level."""
        return schedule.clean() if self.to_clean else schedule(0)

    def _times(self, length: int, num_steps: int) -> Tensor:
        """The times, decreasing, (num_steps,)."""
        steps = torch.arange(num_steps, **TABLE)
        spaced = num_steps + self.spare_zero
        if self.spacing == 'trailing':
            return (length - steps * (length / num_steps)).round() - 1
        if self.spacing == 'leading':
            stride = length // spaced
            return (steps.flip(0) + self.spare_zero) * stride + self.offset
        # Not torch's linspace: it may round a half down.
        stride = (length - 1) / max(spaced - 1, 1)
        times = (steps.flip(0) + self.spare_zero) * stride
        if spaced > 1:
            times[0] = length - 1  # without round-off, as in numpy
        return times.round() if self.rounded else times


def _level(schedule: DiscreteSchedule, times: Tensor) -> NoiseLevel:
    """The levels at any times, sigma / alpha linear between whole times."""
    below, above = schedule(times.floor()), schedule(times.ceil())
    ratio = torch.lerp(
        below.sigma / below.alpha,
        above.sigma / above.alpha,
        times - below.t,
    )
    alpha = (1 + ratio.square()).rsqrt()
    # Whole times take the table's level, as the ratio may be infinite.
    whole = below.t == above.t
    return NoiseLevel(
        times,
        torch.where(whole, below.alpha, alpha),
        torch.where(whole, below.sigma, ratio * alpha),
    )
