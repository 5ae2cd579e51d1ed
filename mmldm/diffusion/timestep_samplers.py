"""Timestep samplers: the distribution of training times.

Each is a map ``(uniform) -> fraction`` from uniform numbers in [0, 1), shape
(B,), to fractions of the time axis with the wanted density. The numbers come
from outside because each is a function of its sample's address
(``utils/sample_random.py``).
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive, check_range

BELOW_ONE = 1 - torch.finfo(torch.float64).eps


class TimestepSampler(ABC):
    """A map from uniform numbers to fractions of the time axis.

    Args:
        stratified: Spread the times of a batch evenly
            (``SampleRandom.stratified``) instead of sampling them
            independently. This lowers the variance of the loss, as in Kingma
            et al. 2021, app. I.1 (arXiv:2107.00630).
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
    """A uniform distribution of times."""

    def quantile(self, uniform: Tensor) -> Tensor:
        return uniform


@DIFFUSION_SCHEDULERS.register_module()
class LogitNormalTimesteps(TimestepSampler):
    """The density logit(fraction) ~ N(mean, std^2); Esser et al. 2024, 3.1.

    arXiv:2403.03206. Times in the middle of the path are more frequent.

    Args:
        mean: Mean of the logit; values above 0 prefer the noisy end.
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
        # ndtri is -inf at 0, where the sigmoid gives 0, a valid fraction.
        normal = torch.special.ndtri(uniform)
        return (self.mean + self.std * normal).sigmoid()


@DIFFUSION_SCHEDULERS.register_module()
class NormalTimesteps(TimestepSampler):
    """The density fraction ~ N(mean, std^2), cut off at both ends.

    With ``VarianceExploding``, whose time is linear in log(sigma), sigma is
    log-normal as in Karras et al. 2022, table 1 (arXiv:2206.00364). The
    defaults are their P_mean = -1.2 and P_std = 1.2 for sigma in [0.002, 80]:
    mean = (-1.2 - log 0.002) / log(80 / 0.002) = 0.47323, and
    std = 1.2 / log(80 / 0.002) = 0.11324.

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
