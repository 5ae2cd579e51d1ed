"""Base classes of guidance."""

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

    With ``guide=True``, the estimate is that of a weaker model, which only
    :class:`AutoGuidance` uses.
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
    """The map ``(predict, condition, null) -> denoise``."""

    #: Whether ``null`` is used; the model must then be trained with dropped
    #: conditions.
    needs_null = True

    @abstractmethod
    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        """The guided estimate, for the solver.

        Args:
            predict: (z_t, level, condition) -> estimate of z_0.
            condition: The condition that samples should follow.
            null: The condition that guidance leads away from, empty or
                negative, with the same shapes.
        """

    def on(self, prediction: Prediction) -> 'Guidance':
        """The guidance for this prediction; few kinds of guidance need it."""
        return self

    def left_out(self, filled: Collection[str]) -> Collection[str]:
        """The filled slots that guidance also leaves out in its estimates."""
        return filled if self.needs_null else ()

    def check(self, filled: Collection[str], has_guide: bool) -> None:
        """Raise unless this guidance suits a model; name the remedy.

        Args:
            filled: Slots that the model's conditioner fills.
            has_guide: Whether the model has a weaker model as a guide.

        Raises:
            ValueError: If the model lacks a required part, or has an unused
                one.
        """
        if has_guide:
            raise ValueError(
                f'model.guide is given, but guidance is {type(self).__name__},'
                ' which does not use it: set guidance=dict(_delete_=True, '
                "type='AutoGuidance', scale=2.0) or remove model.guide"
            )


@DIFFUSION_SCHEDULERS.register_module()
class NoGuidance(Guidance):
    """The conditional prediction, unchanged."""

    needs_null = False

    def __call__(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Denoise:
        return lambda z, level: predict(z, level, condition)


class ChainGuidance(Guidance):
    """D_0 + sum_k scale_k (D_k - D_(k-1)), from the worst estimate up.

    A subclass defines D_0 ... D_K; the last is the conditional prediction. If
    all scales are 1, only that is computed, at the cost of one evaluation.

    Args:
        scales: Factors of the steps from D_(k-1) to D_k, each >= 0; 1 is off.
        interval: (low, high), 0 <= low < high. Guide only where low < sigma /
            alpha <= high, the sigma of Kynkaanniemi et al. 2024, eq. 5
            (arXiv:2404.07724); elsewhere, the conditional prediction costs
            one evaluation.

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
        """Combine D_0 ... D_K into one estimate, (B, C, h, w).

        Args:
            estimates: D_0 ... D_K, each (B, C, h, w).
            z: The noisy latent, (B, C, h, w).
            level: Level of the latent, ().
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
    """Predict under several conditions in one larger batch.

    Small batches do not fill a GPU. The conditions are concatenated once.
    """
    every = Condition.cat(*conditions)
    count = len(conditions)
    return lambda z, level: predict(
        torch.cat([z] * count), level, every
    ).chunk(count)
