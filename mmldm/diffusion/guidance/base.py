"""What guidance is, and what most kinds of it have in common."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.structures import Condition
from mmldm.utils import check_range

from ..functional import NoiseLevel
from ..predictions import Prediction
from ..solvers import Denoise


class Predict(Protocol):
    """(z_t, level, condition) -> estimate of z_0.

    With ``guide=True`` it is that of a weaker model, which
    :class:`AutoGuidance` alone asks for.
    """

    def __call__(
        self,
        z: Tensor,
        level: NoiseLevel,
        condition: Condition,
        guide: bool = False,
    ) -> Tensor: ...


Estimates = Callable[[Tensor, NoiseLevel], Sequence[Tensor]]


class Guidance(ABC):
    """``(predict, condition, null) -> denoise``."""

    #: Whether it reads ``null``: a model must then have been trained with
    #: conditions left out.
    needs_null = True

    @abstractmethod
    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        """What the solver calls.

        Args:
            predict: (z_t, level, condition) -> estimate of z_0.
            condition: What the samples should show.
            null: What they should show less: the condition that says
                nothing, or a negative one; of the same shapes.
        """

    def on(self, prediction: Prediction) -> 'Guidance':
        """The guidance for this prediction, which few need to know."""
        return self

    def left_out(self, filled: Collection[str]) -> Collection[str]:
        """Slots without which it asks for estimates too, of those filled."""
        return filled if self.needs_null else ()

    def check(self, filled: Collection[str], has_guide: bool) -> None:
        """Raise unless a model can be guided so, with the remedy.

        Args:
            filled: Slots of its conditions that are filled.
            has_guide: Whether it has a weaker model beside it.

        Raises:
            ValueError: If it lacks what is needed, or has what is not used.
        """
        if has_guide:
            raise ValueError(
                f'model.guide is given, but guidance is {type(self).__name__},'
                ' which does not use it: set guidance=dict(_delete_=True, '
                "type='AutoGuidance', scale=2.0) or leave out model.guide"
            )


@DIFFUSION_SCHEDULERS.register_module()
class NoGuidance(Guidance):
    """The conditional prediction as it is."""

    needs_null = False

    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        return lambda z, level: predict(z, level, condition)


class ChainGuidance(Guidance):
    """D_0 + sum_k scale_k (D_k - D_(k-1)), from the worst estimate up.

    A subclass says what D_0 ... D_K are, of which the last is the
    conditional prediction. Where all scales are 1 this is what remains, made
    at the cost of one.

    Args:
        scales: How far to go from D_(k-1) to D_k and beyond, each >= 0.
        interval: Guide where low < sigma / alpha <= high, predict
            conditionally elsewhere, at the cost of one evaluation;
            Kynkaanniemi et al. 2024, eq. 5 (arXiv:2404.07724), whose sigma
            this is. 0 <= low < high.

    Raises:
        ValueError: If a scale or the interval is out of range.
    """

    def __init__(
        self, scales: Sequence[float], interval: Sequence[float]
    ) -> None:
        for scale in scales:
            check_range('scale', scale, 0, math.inf, '; 1 is off')
        low, high = interval
        if not 0 <= low < high:
            raise ValueError(
                f'interval={tuple(interval)} must be (low, high) with 0 <= '
                'low < high, noise-to-signal ratios sigma / alpha'
            )
        self.scales = tuple(scales)
        self.low, self.high = low, high

    @abstractmethod
    def estimates(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Estimates:
        """(z_t, level) -> D_0 ... D_K; see :meth:`__call__`."""

    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        plain = NoGuidance()(predict, condition, null)
        estimates = self.estimates(predict, condition, null)
        if all(scale == 1 for scale in self.scales):
            return plain

        def denoise(z: Tensor, level: NoiseLevel) -> Tensor:
            if not self.low < level.sigma / level.alpha <= self.high:
                return plain(z, level)
            return self.combine(estimates(z, level), z, level)

        return denoise

    def combine(
        self, estimates: Sequence[Tensor], z: Tensor, level: NoiseLevel
    ) -> Tensor:
        """One estimate of D_0 ... D_K, of their shape.

        Args:
            estimates: D_0 ... D_K, each (B, C, h, w).
            z: The latent that they are of, (B, C, h, w).
            level: Its level, ().
        """
        z_0 = estimates[0]
        for scale, (worse, better) in zip(
            self.scales, pairwise(estimates), strict=True
        ):
            z_0 = z_0 + scale * (better - worse)
        return z_0


def in_one_call(
    predict: Predict, conditions: Sequence[Condition]
) -> Estimates:
    """Predictions under several conditions, made by one larger batch.

    Small batches are launch-bound; conditions are concatenated once.
    """
    every = Condition.cat(*conditions)
    count = len(conditions)
    return lambda z, level: predict(
        torch.cat([z] * count), level, every
    ).chunk(count)
