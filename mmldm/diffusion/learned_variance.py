"""Learned variances of the reverse steps."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive

from .functional import NoiseLevel
from .noise_schedules import DiscreteSchedule, NoiseSchedule


class _Step(NamedTuple):
    """A reverse step for a table of betas, float64 with a level's shape.

    Attributes:
        longest: Logarithm of beta, the largest variance of the step.
        shortest: Logarithm of the variance for a known clean latent.
        gain: Factor of the clean latent's error in the step's mean.
    """

    longest: Tensor
    shortest: Tensor
    gain: Tensor


@DIFFUSION_SCHEDULERS.register_module()
class LearnedVariance:
    """Learned variance by a second output for each latent channel.

    Nichol & Dhariwal 2021 (arXiv:2102.09672), section 3.1, as in DiT (Peebles
    & Xie 2023). The second half v of the output's channels, in about [-1, 1],
    interpolates the logarithm of a step's variance between its bounds. It is
    trained by the variational bound, whose gradient does not reach the
    estimate of the clean latent. The solvers here do not use it. At t = 0,
    where the bound of a table has another term, the step of t = 1 is used.

    Args:
        weight: Weight of the bound in bits for each element and step, > 0.
            The paper's lambda of 0.001 for the sum over 1000 steps is 1.
    """

    def __init__(self, weight: float = 1.0) -> None:
        check_positive('LearnedVariance.weight', weight)
        self.weight = weight

    def loss(
        self,
        out: Tensor,
        error: Tensor,
        level: NoiseLevel,
        schedule: NoiseSchedule,
    ) -> Tensor:
        """The weighted bound of each sample, (B,).

        Args:
            out: The network's output, (B, 2 C, h, w).
            error: Error of the estimated clean latent, without gradient,
                (B, C, h, w).
            level: Level of the noisy latent, (B,).
            schedule: The noise schedule.
        """
        v = out.chunk(2, dim=1)[1]
        step = _Step(
            *(
                value.to(v, non_blocking=True).view(-1, *[1] * (v.ndim - 1))
                for value in _step(level, schedule)
            )
        )
        share = (v + 1) / 2
        log_var = share * step.longest + (1 - share) * step.shortest
        ratio = log_var - step.shortest
        square = (step.gain * error).square()
        divergence = ratio + (-ratio).exp() + square * (-log_var).exp() - 1
        bits = divergence.flatten(1).mean(1) / (2 * math.log(2))
        return self.weight * bits

    @staticmethod
    def check(schedule: NoiseSchedule) -> None:
        """Raise unless a noise schedule has steps.

        Raises:
            ValueError: If its time is continuous.
        """
        if not isinstance(schedule, DiscreteSchedule):
            raise ValueError(
                'variance=LearnedVariance needs the steps of a table of '
                f'betas, but noise_schedule is {type(schedule).__name__}: '
                "set noise_schedule=dict(_delete_=True, type='LinearBetas'), "
                'or remove variance'
            )


def _step(level: NoiseLevel, schedule: NoiseSchedule) -> _Step:
    """The step from a level to the one before it."""
    here = schedule(level.t.clamp(min=1))
    before = schedule(here.t - 1)
    kept = here.alpha / before.alpha
    beta = here.sigma.square() - (kept * before.sigma).square()
    share = beta / here.sigma.square()
    return _Step(
        beta.log(),
        torch.log(share * before.sigma.square()),
        share * before.alpha,
    )
