"""Which times a training step visits.

``(uniform) -> fraction``: uniform numbers in [0, 1), shape (B,), become
fractions of the time axis of the wanted density. They come from outside
because every sample's number is addressed (``utils/draws.py``).
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive, check_range

BELOW_ONE = 1 - torch.finfo(torch.float64).eps


class TimestepSampler(ABC):
    """Turns uniform numbers into fractions of the time axis.

    Args:
        stratified: Spread the times of a batch evenly
            (``Draws.stratified``) instead of drawing each by itself: less
            variance of the loss, as in Kingma et al. 2021, app. I.1
            (arXiv:2107.00630).
    """

    def __init__(self, stratified: bool = False) -> None:
        self.stratified = stratified

    def __call__(self, uniform: Tensor) -> Tensor:
        """Fractions in [0, 1) for uniform numbers in [0, 1), both (B,)."""
        return self.quantile(uniform).clamp(0, BELOW_ONE)

    @abstractmethod
    def quantile(self, uniform: Tensor) -> Tensor:
        """The inverse of the fractions' distribution function."""


@DIFFUSION_SCHEDULERS.register_module()
class UniformTimesteps(TimestepSampler):
    """Every time is equally likely."""

    def quantile(self, uniform: Tensor) -> Tensor:
        return uniform


@DIFFUSION_SCHEDULERS.register_module()
class LogitNormalTimesteps(TimestepSampler):
    """logit(fraction) ~ N(mean, std^2); Esser et al. 2024, section 3.1.

    arXiv:2403.03206; visits the middle of the path more often.

    Args:
        mean: > 0 prefers the noisy end.
        std: Width of the density, > 0.
        stratified: See :class:`TimestepSampler`.
    """

    def __init__(
        self, mean: float = 0.0, std: float = 1.0, stratified: bool = False
    ) -> None:
        super().__init__(stratified)
        check_positive('std', std)
        self.mean = mean
        self.std = std

    def quantile(self, uniform: Tensor) -> Tensor:
        # ndtri is infinite at 0, and its sigmoid then 0: still a fraction.
        normal = torch.special.ndtri(uniform)
        return (self.mean + self.std * normal).sigmoid()


@DIFFUSION_SCHEDULERS.register_module()
class NormalTimesteps(TimestepSampler):
    """fraction ~ N(mean, std^2), cut off at the ends of the time axis.

    With ``VarianceExploding``, whose time is the logarithm of sigma, this is
    the log-normal sigma of Karras et al. 2022, table 1 (arXiv:2206.00364):
    P_mean = -1.2, P_std = 1.2 over sigma in [0.002, 80] is a mean of
    (-1.2 - log 0.002) / log(80 / 0.002) = 0.47323 and a std of
    1.2 / log(80 / 0.002) = 0.11324, the defaults.

    Args:
        mean: Centre of the density, a fraction of the time axis, in [-1, 2].
        std: Width of the density, > 0.
        stratified: See :class:`TimestepSampler`.
    """

    def __init__(
        self,
        mean: float = 0.47323,
        std: float = 0.11324,
        stratified: bool = False,
    ) -> None:
        super().__init__(stratified)
        check_range(
            'mean',
            mean,
            -1,
            2,
            ', a fraction of the time axis: (P_mean - log(sigma_min)) / '
            'log(sigma_max / sigma_min)',
        )
        check_positive('std', std)
        ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
        self.below = torch.special.ndtr((ends - mean) / std)
        self.mean = mean
        self.std = std

    def quantile(self, uniform: Tensor) -> Tensor:
        normal = torch.special.ndtri(torch.lerp(*self.below, uniform))
        return self.mean + self.std * normal
