"""Loss weightings: the weight of the error at each noise level.

Each is a map ``(level, prediction) -> (B,)`` to weights of the *output's*
error.
"""

import copy
import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive, check_range

from .functional import NoiseLevel
from .noise_schedules import DiscreteSchedule, NoiseSchedule
from .predictions import Prediction


class LossWeighting(ABC):
    """The map ``(level, prediction) -> (B,)``."""

    # Weight of the term of learned log-variances.
    simple_weight = 1.0

    @abstractmethod
    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        """Weights, with the shape of ``level.alpha``."""

    def terms(
        self, level: NoiseLevel, prediction: Prediction
    ) -> tuple[Tensor, Tensor]:
        """The weights as two terms, each with the shape of ``level.alpha``.

        Learned log-variances apply to the error of the first term, but not to
        that of the second, which belongs to a variational bound.
        """
        return self(level, prediction), torch.zeros_like(level.alpha)

    def on(self, schedule: NoiseSchedule) -> 'LossWeighting':
        """The weighting for this schedule; few weightings need it."""
        return self


@DIFFUSION_SCHEDULERS.register_module()
class UniformWeighting(LossWeighting):
    """Weight 1 at all levels: the simple loss of Ho et al. 2020."""

    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        return level.alpha.new_ones(level.alpha.shape)


@DIFFUSION_SCHEDULERS.register_module()
class MinSNRWeighting(LossWeighting):
    """min(snr, gamma) on the clean latent's error; Hang et al. 2023, 3.4.

    arXiv:2303.09556. It limits the influence of nearly clean samples.

    Args:
        gamma: SNR above which all samples count the same, > 0.
    """

    def __init__(self, gamma: float = 5.0) -> None:
        check_positive('gamma', gamma)
        self.gamma = gamma

    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        return level.snr.clamp(max=self.gamma) * prediction.z_0_error_scale(
            level
        )


@DIFFUSION_SCHEDULERS.register_module()
class P2Weighting(LossWeighting):
    """1 / (k + snr)^gamma on the noise's error; Choi et al. 2022.

    arXiv:2204.00227, section 3. It lowers the weight of levels at which only
    imperceptible detail is missing. Other predictions get the equivalent
    weight of the clean latent's error.

    Args:
        gamma: Strength, >= 0; 0 is the simple loss of the noise.
        k: Bounds the weight at high noise, > 0.
    """

    def __init__(self, gamma: float = 1.0, k: float = 1.0) -> None:
        check_range('gamma', gamma, 0, math.inf, '; 0 is off')
        check_positive('k', k)
        self.gamma = gamma
        self.k = k

    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        snr = level.snr
        on_z_0 = snr / (self.k + snr) ** self.gamma
        return on_z_0 * prediction.z_0_error_scale(level)


@DIFFUSION_SCHEDULERS.register_module()
class VariationalWeighting(LossWeighting):
    """The variational bound's weights; Kingma et al. 2021, sections 4, 5.

    arXiv:2107.00630. The weight of the clean latent's error is
    (snr(t-1) - snr(t)) / 2 for a table of betas, and -1/2 dsnr/dt in
    continuous time: the term of one step, or of one unit of time. At t = 0,
    where the bound of a table has another term, the noise's error has its
    weight at t = 1, as in the original latent diffusion.

    Args:
        vlb_weight: Weight of the bound, >= 0; ``original_elbo_weight`` in the
            original code.
        simple_weight: Weight of the simple loss, >= 0; ``l_simple_weight`` in
            the original code.
    """

    def __init__(
        self, vlb_weight: float = 1.0, simple_weight: float = 0.0
    ) -> None:
        for name, value in dict(
            vlb_weight=vlb_weight, simple_weight=simple_weight
        ).items():
            check_range(name, value, 0, math.inf, '; 0 is off')
        self.vlb_weight = vlb_weight
        self.simple_weight = simple_weight
        self.schedule: NoiseSchedule | None = None

    def on(self, schedule: NoiseSchedule) -> 'VariationalWeighting':
        bound = copy.copy(self)
        bound.schedule = schedule
        return bound

    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        simple, bound = self.terms(level, prediction)
        return simple + bound

    def terms(
        self, level: NoiseLevel, prediction: Prediction
    ) -> tuple[Tensor, Tensor]:
        if self.schedule is None:
            raise ValueError(
                'VariationalWeighting needs a noise schedule: use '
                'weighting.on(schedule), as DiffusionScheduler does'
            )
        discrete = isinstance(self.schedule, DiscreteSchedule)
        on_z_0 = self._of_a_step(level) if discrete else self._of_a_time(level)
        bound = self.vlb_weight * on_z_0 * prediction.z_0_error_scale(level)
        return torch.full_like(bound, self.simple_weight), bound

    def _of_a_step(self, level: NoiseLevel) -> Tensor:
        here = self.schedule(level.t.clamp(min=1))
        before = self.schedule(here.t - 1)
        weight = (before.snr - here.snr) / 2
        # Below t = 1, the noise's error has its weight at t = 1.
        for_noise = weight * level.snr / here.snr
        return torch.where(level.t < 1, for_noise, weight)

    def _of_a_time(self, level: NoiseLevel) -> Tensor:
        # The slope of log-SNR varies less: with rectified flow, the error is
        # at most 4e-7, at the clean end.
        step = 1e-6 * self.schedule.num_timesteps
        before = self.schedule((level.t - step).clamp(min=0))
        after = self.schedule((level.t + step).clamp(max=self.schedule.last))
        slope = (after.log_snr - before.log_snr) / (after.t - before.t)
        return -level.snr * slope / 2
