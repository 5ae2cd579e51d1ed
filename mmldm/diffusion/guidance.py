"""Guidance: wraps a conditional prediction into what a solver calls."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.structures import Condition

from .functional import NoiseLevel
from .solvers import Denoise

Predict = Callable[[Tensor, NoiseLevel, Condition], Tensor]


class Guidance(ABC):
    """``(predict, condition, null) -> denoise``."""

    @abstractmethod
    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        """What the solver calls.

        Args:
            predict: (z_t, level, condition) -> estimate of z_0.
            condition: What the samples should show.
            null: The condition that says nothing, of the same shapes.
        """


@DIFFUSION_SCHEDULERS.register_module()
class NoGuidance(Guidance):
    """The conditional prediction as it is."""

    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        return lambda z, level: predict(z, level, condition)


@DIFFUSION_SCHEDULERS.register_module()
class ClassifierFreeGuidance(Guidance):
    """null + scale (conditional - null); Ho & Salimans 2022.

    arXiv:2207.12598. As in the original latent diffusion, ``scale`` counts
    from the unconditional side: 1 is off, 0 is unconditional (the paper's
    w is scale - 1).

    Args:
        scale: How far to go from null to conditional and beyond, >= 0.
    """

    def __init__(self, scale: float) -> None:
        if scale < 0:
            raise ValueError(f'scale={scale} must be >= 0; 1 is off')
        self.scale = scale

    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        if self.scale == 1:
            return NoGuidance()(predict, condition, null)
        both = Condition.cat(null, condition)

        def denoise(z: Tensor, level: NoiseLevel) -> Tensor:
            # One call on a doubled batch: small batches are launch-bound.
            z_0 = predict(torch.cat([z, z]), level, both)
            unconditional, conditional = z_0.chunk(2)
            return torch.lerp(unconditional, conditional, self.scale)

        return denoise
