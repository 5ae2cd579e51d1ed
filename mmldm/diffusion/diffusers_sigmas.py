"""Levels of diffusers' schedulers that are spaced in noise, not in time."""

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_choice
from mmldm.utils.typing import ConfigType

from .functional import NoiseLevel
from .noise_grids import NoiseGrid
from .noise_schedules import NoiseSchedule
from .time_grids import TimeGrid, unbind

# The network's time for a level between two times.
TIMES = dict(exact=lambda t: t, rounded=torch.round, floored=torch.floor)
# diffusers' replacement for pure noise: alpha^2 = 2^-24.
LEAST_ALPHA = 2.0**-12


@DIFFUSION_SCHEDULERS.register_module()
class DiffusersSigmas(TimeGrid):
    """The levels of diffusers' ``use_karras_sigmas`` and similar options.

    Args:
        measure: Config of the :class:`NoiseGrid` that spaces levels between
            two ends: ``KarrasGrid`` for ``use_karras_sigmas``, ``LogSNRGrid``
            for ``use_lu_lambdas`` and ``use_exponential_sigmas``,
            ``BetaGrid`` for ``use_beta_sigmas``.
        ends: Config of a grid whose first and last noisy level are the two
            ends, as for diffusers' Euler and Heun. None takes the ends of the
            schedule, as for its DPM-Solver and UniPC.
        times: The network's time for a level: 'exact', as diffusers' Euler and
            Heun do, 'rounded' or 'floored'.
        to_clean: The last step leads to the clean level. False ends at the
            schedule's first level, as diffusers'
            ``final_sigmas_type='sigma_min'``.
        unit_start: Sampling starts from unit noise; False starts from sigma_T
            times noise.
    """

    def __init__(
        self,
        measure: ConfigType,
        ends: ConfigType | None = None,
        times: str = 'exact',
        to_clean: bool = True,
        unit_start: bool = True,
    ) -> None:
        check_choice('DiffusersSigmas.times', times, TIMES)
        self.measure = DIFFUSION_SCHEDULERS.build(measure)
        if not isinstance(self.measure, NoiseGrid):
            raise ValueError(
                f'DiffusersSigmas.measure={measure} spaces times: expected '
                'a grid in noise, such as KarrasGrid'
            )
        self.ends = DIFFUSION_SCHEDULERS.build(ends) if ends else None
        self.times = times
        self.to_clean = to_clean
        self.unit_start = unit_start

    def noisy_levels(
        self, schedule: NoiseSchedule, num_steps: int
    ) -> list[NoiseLevel]:
        start, end = schedule(schedule.last), schedule(0)
        if self.ends is not None:
            noisy = self.ends.noisy_levels(schedule, num_steps)
            start, end = noisy[0], noisy[-1]
        if start.alpha == 0:
            start = _least_signal(start)
        log_snr = self.measure.log_snr(start, end, num_steps)
        inner = schedule.at_log_snr(log_snr)
        # alpha and sigma from log_snr itself, which may lie beyond the table.
        levels = NoiseLevel(
            TIMES[self.times](inner.t),
            log_snr.sigmoid().sqrt(),
            (-log_snr).sigmoid().sqrt(),
        )
        return unbind(levels)

    def last_level(self, schedule: NoiseSchedule) -> NoiseLevel:
        """The clean level, or the schedule's first level."""
        return schedule.clean() if self.to_clean else schedule(0)


def _least_signal(level: NoiseLevel) -> NoiseLevel:
    """Pure noise with the small signal that diffusers gives it."""
    alpha: Tensor = torch.full_like(level.alpha, LEAST_ALPHA)
    return NoiseLevel(level.t, alpha, (1 - alpha.square()).sqrt())
