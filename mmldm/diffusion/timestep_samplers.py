"""Which times a training step visits.

``(fraction) -> fraction``: uniform numbers in [0, 1), shape (B,), become
fractions of the time axis of the wanted density. They come from outside
because every sample's number is addressed (``utils/draws.py``).
"""

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive

BELOW_ONE = 1 - torch.finfo(torch.float64).eps


@DIFFUSION_SCHEDULERS.register_module()
class UniformTimesteps:
    """Every time is equally likely."""

    def __call__(self, uniform: Tensor) -> Tensor:
        return uniform


@DIFFUSION_SCHEDULERS.register_module()
class LogitNormalTimesteps:
    """logit(fraction) ~ N(mean, std^2); Esser et al. 2024, section 3.1.

    arXiv:2403.03206; visits the middle of the path more often.

    Args:
        mean: > 0 prefers the noisy end.
        std: Width of the density, > 0.
    """

    def __init__(self, mean: float = 0.0, std: float = 1.0) -> None:
        check_positive('std', std)
        self.mean = mean
        self.std = std

    def __call__(self, uniform: Tensor) -> Tensor:
        # ndtri is infinite at 0, and its sigmoid then 0: still a fraction.
        normal = torch.special.ndtri(uniform)
        fraction = (self.mean + self.std * normal).sigmoid()
        return fraction.clamp(max=BELOW_ONE)
