"""Loss functions: the cost of errors of the network's output.

Each is a map ``(out, target) -> cost`` of every element, (B, C, h, w).
"""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive


class LossFunction(ABC):
    """Base class of the ``loss_function`` in configs."""

    @abstractmethod
    def __call__(self, out: Tensor, target: Tensor) -> Tensor:
        """The cost of every element, (B, C, h, w)."""


@DIFFUSION_SCHEDULERS.register_module()
class L1Loss(LossFunction):
    """The absolute error."""

    def __call__(self, out: Tensor, target: Tensor) -> Tensor:
        return (out - target).abs()


@DIFFUSION_SCHEDULERS.register_module()
class L2Loss(LossFunction):
    """The squared error; Ho et al. 2020, eq. 14."""

    def __call__(self, out: Tensor, target: Tensor) -> Tensor:
        return (out - target).square()


@DIFFUSION_SCHEDULERS.register_module()
class HuberLoss(LossFunction):
    """Half the squared error up to ``delta``, linear beyond; Huber 1964.

    Args:
        delta: Error above which the cost is linear, with slope delta; > 0.
    """

    def __init__(self, delta: float = 1.0) -> None:
        check_positive('delta', delta)
        self.delta = delta

    def __call__(self, out: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(out, target, reduction='none', delta=self.delta)


def direction_error(out: Tensor, target: Tensor) -> Tensor:
    """1 - cosine of the angle between two velocities, (B,) in [0, 2].

    Yao et al. 2024, FasterDiT (arXiv:2410.10356). As in the code of its
    successor LightningDiT, the angle is between the channels at each position,
    and its cosine is averaged over the positions.
    """
    return 1 - F.cosine_similarity(out, target, dim=1).flatten(1).mean(1)
