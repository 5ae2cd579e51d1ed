"""Time grids that are equally spaced in a measure of noise."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive

from .functional import NoiseLevel
from .noise_schedules import TABLE, NoiseSchedule
from .time_grids import TimeGrid, unbind


class NoiseGrid(TimeGrid):
    """Levels equally spaced in a measure of noise, from the noisy end on.

    If the noisy end is pure noise (alpha = 0), it is the first level, and the
    others are spaced as if the first were one unit of time below it.

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
        noisy = start = schedule(schedule.last)
        if noisy.alpha == 0:
            start = schedule(schedule.last - schedule.unit)
        end = schedule(self.last_time * schedule.num_timesteps)
        log_snr = self.log_snr(start, end, num_steps)
        return [noisy, *unbind(schedule.at_log_snr(log_snr[1:]))]

    @abstractmethod
    def log_snr(
        self, start: NoiseLevel, end: NoiseLevel, num_levels: int
    ) -> Tensor:
        """Rising log-SNRs from ``start`` to ``end``, (num_levels,)."""


@DIFFUSION_SCHEDULERS.register_module()
class LogSNRGrid(NoiseGrid):
    """Levels equally spaced in log-SNR, the variable of exponential solvers.

    Lu et al. 2022, section 3.4, arXiv:2206.00927.

    Args:
        last_time: See :class:`NoiseGrid`.
    """

    def log_snr(
        self, start: NoiseLevel, end: NoiseLevel, num_levels: int
    ) -> Tensor:
        ends = float(start.log_snr), float(end.log_snr)
        return torch.linspace(*ends, num_levels, **TABLE)


@DIFFUSION_SCHEDULERS.register_module()
class KarrasGrid(NoiseGrid):
    """Levels equally spaced in (sigma / alpha)^(1 / rho).

    Karras et al. 2022, eq. 5 (arXiv:2206.00364).

    Args:
        rho: Exponent, > 0; a larger one puts more levels near the clean end.
            1 spaces sigma / alpha itself, and the limit of infinity is
            :class:`LogSNRGrid`.
        last_time: See :class:`NoiseGrid`.
    """

    def __init__(self, rho: float = 7.0, last_time: float = 0.001) -> None:
        super().__init__(last_time)
        check_positive('rho', rho)
        self.rho = rho

    def log_snr(
        self, start: NoiseLevel, end: NoiseLevel, num_levels: int
    ) -> Tensor:
        power = -1 / (2 * self.rho)
        ends = float(start.snr**power), float(end.snr**power)
        return torch.linspace(*ends, num_levels, **TABLE).log() / power


@DIFFUSION_SCHEDULERS.register_module()
class EqualErrorGrid(NoiseGrid):
    """Levels with the shortest log-SNR steps where signal equals noise.

    The estimate of z_0 changes most there, so that a step makes the largest
    error; towards both ends, steps grow. With phi = atan(sigma / alpha), the
    integral of sin(2 phi)^power over log-SNR is the same for every step: the
    levels are equally spaced quantiles of Beta(power / 2, power / 2) for
    sigma^2 / (alpha^2 + sigma^2).

    Args:
        power: Exponent, > 0; 1 spaces phi equally, 2 spaces sigma^2 /
            (alpha^2 + sigma^2) equally, and the limit of 0 is
            :class:`LogSNRGrid`. For the default see
            tools/benchmarks/README.md.
        last_time: See :class:`NoiseGrid`.
    """

    def __init__(self, power: float = 0.375, last_time: float = 0.001) -> None:
        super().__init__(last_time)
        check_positive('power', power)
        self.power = power

    def log_snr(
        self, start: NoiseLevel, end: NoiseLevel, num_levels: int
    ) -> Tensor:
        from scipy.special import betainc, betaincinv, expit, logit

        both = self.power / 2, self.power / 2
        ends = torch.stack([start.log_snr, end.log_snr]).numpy()
        # Measured from the nearer end: close to 1 a share has few digits.
        quantiles = np.sign(ends) * (0.5 - betainc(*both, expit(-abs(ends))))
        quantiles = np.linspace(*quantiles, num_levels)
        share = betaincinv(*both, 0.5 - abs(quantiles))
        return torch.from_numpy(-np.sign(quantiles) * logit(share))


@DIFFUSION_SCHEDULERS.register_module()
class BetaGrid(NoiseGrid):
    """Levels with sigma / alpha at equally spaced Beta quantiles.

    They are dense at both ends of the path; Lee et al. 2024, arXiv:2407.12173,
    with their choice of both parameters, as in diffusers 0.42 (which, unlike
    the paper, spaces sigma / alpha and not time).

    Args:
        concentration: Both parameters of the distribution, > 0. 1 spaces sigma
            / alpha itself, and smaller values are denser at the ends.
        last_time: See :class:`NoiseGrid`.
    """

    def __init__(
        self, concentration: float = 0.6, last_time: float = 0.001
    ) -> None:
        super().__init__(last_time)
        check_positive('concentration', concentration)
        self.concentration = concentration

    def log_snr(
        self, start: NoiseLevel, end: NoiseLevel, num_levels: int
    ) -> Tensor:
        from scipy.special import betaincinv  # here, as the import takes 0.2 s

        share = torch.linspace(1, 0, num_levels, **TABLE)
        both = self.concentration, self.concentration
        quantiles = torch.from_numpy(betaincinv(*both, share.numpy()))
        ratio = torch.lerp(end.snr.rsqrt(), start.snr.rsqrt(), quantiles)
        return -2 * ratio.log()
