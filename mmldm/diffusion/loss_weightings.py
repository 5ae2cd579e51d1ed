"""How much the error at each noise level counts.

``(level, prediction) -> (B,)``, the weight of the *output's* error.
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
    """``(level, prediction) -> (B,)``."""

    # Weight of the log-variances that a model may learn beside it.
    simple_weight = 1.0

    @abstractmethod
    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        """Weights, of the shape of ``level.alpha``."""

    def terms(
        self, level: NoiseLevel, prediction: Prediction
    ) -> tuple[Tensor, Tensor]:
        """The weights in two parts, each of the shape of ``level.alpha``.

        Learned log-variances divide the error of the first part, and leave
        that of the second, a variational bound's, as it is.
        """
        return self(level, prediction), torch.zeros_like(level.alpha)

    def on(self, schedule: NoiseSchedule) -> 'LossWeighting':
        """The weighting for this schedule, of which few need to know."""
        return self


@DIFFUSION_SCHEDULERS.register_module()
class UniformWeighting(LossWeighting):
    """All levels count the same: the simple loss of Ho et al. 2020."""

    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        return level.alpha.new_ones(level.alpha.shape)


@DIFFUSION_SCHEDULERS.register_module()
class MinSNRWeighting(LossWeighting):
    """min(snr, gamma) on the clean latent's error; Hang et al. 2023, 3.4.

    arXiv:2303.09556; caps the pull of nearly clean samples.

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

    arXiv:2204.00227, section 3; takes weight from levels at which only
    imperceptible detail is left. Other predictions get what weighs z_0 the
    same.

    Args:
        gamma: Strength, >= 0; 0 is the simple loss of the noise.
        k: Keeps the weight at high noise from exploding, > 0.
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

    arXiv:2107.00630. On the clean latent's error (snr(t-1) - snr(t)) / 2 for
    a table of betas, and -1/2 dsnr/dt for continuous time: the term of one
    step, or of one unit of time. At t = 0, where the bound of a table has
    another term, the noise's error weighs as at t = 1, as in the original
    latent diffusion.

    Args:
        vlb_weight: Of the bound, the original's ``original_elbo_weight``.
        simple_weight: Of the simple loss, ``l_simple_weight``.
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
                'VariationalWeighting knows no noise schedule: take '
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
        # Below t = 1 the weight that the noise's error has there.
        for_noise = weight * level.snr / here.snr
        return torch.where(level.t < 1, for_noise, weight)

    def _of_a_time(self, level: NoiseLevel) -> Tensor:
        # Through log-SNR, whose slope varies less: with rectified flow off
        # by 4e-7 at the clean end, where it is largest.
        step = 1e-6 * self.schedule.num_timesteps
        before = self.schedule((level.t - step).clamp(min=0))
        after = self.schedule((level.t + step).clamp(max=self.schedule.last))
        slope = (after.log_snr - before.log_snr) / (after.t - before.t)
        return -level.snr * slope / 2
