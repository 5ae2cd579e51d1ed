"""Guidance away from worse estimates of several kinds."""

import copy
import math
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.structures import Condition
from mmldm.structures.condition import SLOTS
from mmldm.utils import check_choice, check_range

from ..functional import NoiseLevel
from ..predictions import Prediction
from ..solvers.solver import noise_in
from .base import ChainGuidance, Estimates, Predict, in_one_call


@DIFFUSION_SCHEDULERS.register_module()
class ClassifierFreeGuidance(ChainGuidance):
    """null + scale (conditional - null); Ho & Salimans 2022.

    arXiv:2207.12598. As in the original latent diffusion, ``scale`` starts
    from the unconditional side: 0 is unconditional and 1 is off (the paper's
    w is scale - 1).

    Args:
        scale: Factor of the step from null to conditional, >= 0; 1 is off.
        rescale: Share, in [0, 1], of the added contrast that is removed.
            With 1, each estimate gets the standard deviation, over channels
            and positions, of the conditional one. Lin et al. 2024, section
            3.4 (arXiv:2305.08891).
        interval: See :class:`ChainGuidance`.
        rescale_of: The quantity whose deviation is used: 'z_0' is the clean
            latent; 'output' is the network's prediction, as in diffusers'
            ``guidance_rescale``. They agree at high noise if the network
            predicts v. If it predicts noise, the two give values of z_0 that
            differ by 0.4 to 0.7 of its deviation.
    """

    def __init__(
        self,
        scale: float,
        rescale: float = 0.0,
        interval: Sequence[float] = (0.0, math.inf),
        rescale_of: str = 'z_0',
    ) -> None:
        super().__init__([scale], interval)
        check_range('rescale', rescale, 0, 1, '; 0 is off')
        check_choice('rescale_of', rescale_of, ('z_0', 'output'))
        self.rescale = rescale
        self.rescale_of = rescale_of
        self.prediction: Prediction | None = None

    def on(self, prediction: Prediction) -> 'ClassifierFreeGuidance':
        known = copy.copy(self)
        known.prediction = prediction
        return known

    def check(self, filled: Collection[str], has_guide: bool) -> None:
        super().check(filled, has_guide)
        if not filled:
            raise ValueError(
                'guidance is ClassifierFreeGuidance, but the conditioner has '
                'no embedders: set guidance=dict(_delete_=True, '
                "type='NoGuidance')"
            )

    def estimates(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Estimates:
        return in_one_call(predict, [null, condition])

    def combine(
        self, estimates: Sequence[Tensor], z: Tensor, level: NoiseLevel
    ) -> Tensor:
        z_0 = super().combine(estimates, z, level)
        if self.rescale == 0:
            return z_0
        if self.rescale_of == 'z_0':
            return self._rescaled(z_0, estimates[-1])
        if self.prediction is None:
            raise ValueError(
                "rescale_of='output' needs a prediction: use "
                'guidance.on(prediction), as LatentDiffusion does'
            )
        guided, conditional = (
            self.prediction.target(x, noise_in(z, x, level), level)
            for x in (z_0, estimates[-1])
        )
        out = self._rescaled(guided, conditional)
        return self.prediction.to_z_0(out, z, level)

    def _rescaled(self, guided: Tensor, conditional: Tensor) -> Tensor:
        """The guided estimate, its deviation moved towards the conditional."""
        ratio = _deviation(conditional) / _deviation(guided)
        return guided * torch.lerp(torch.ones_like(ratio), ratio, self.rescale)


@DIFFUSION_SCHEDULERS.register_module()
class AutoGuidance(ChainGuidance):
    """guide + scale (model - guide): away from a weaker model's estimate.

    Karras et al. 2024, eq. 3 (arXiv:2406.02507). The weaker model, which is
    smaller or was trained for a shorter time, sees the same condition. No null
    condition is needed, so that unconditional models can be guided too.

    Args:
        scale: Factor of the step from the guide to the model, >= 0; 1 is off.
        interval: See :class:`ChainGuidance`.
    """

    needs_null = False

    def __init__(
        self, scale: float, interval: Sequence[float] = (0.0, math.inf)
    ) -> None:
        super().__init__([scale], interval)

    def check(self, filled: Collection[str], has_guide: bool) -> None:
        if not has_guide:
            raise ValueError(
                'guidance is AutoGuidance, but model.guide is missing: set '
                "model.guide to the config of the weaker model's denoiser and "
                'model.guide_checkpoint to its checkpoint'
            )

    def estimates(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Estimates:
        return lambda z, level: (
            predict(z, level, condition, guide=True),
            predict(z, level, condition),
        )


@DIFFUSION_SCHEDULERS.register_module()
class SlotGuidance(ChainGuidance):
    """Guidance with a separate scale for each of several conditions.

    D_0 + sum_k scale_k (D_k - D_(k-1)), where D_0 sees none of the named slots
    and D_k the first k of them, all in one call; Brooks et al. 2023, eq. 3
    (arXiv:2211.09800), for any number of slots. Equal scales give
    classifier-free guidance with that scale. A slot that is not named is seen
    by every estimate.

    Args:
        scales: Slot to scale, in the order in which slots are added; see
            ``scale`` of :class:`ClassifierFreeGuidance`.
        interval: See :class:`ChainGuidance`.

    Raises:
        ValueError: If a slot is unknown, or ``scales`` is empty.
    """

    def __init__(
        self,
        scales: Mapping[str, float],
        interval: Sequence[float] = (0.0, math.inf),
    ) -> None:
        super().__init__([*scales.values()], interval)
        if not scales:
            raise ValueError(
                'SlotGuidance.scales is empty: set the scale of a slot, such '
                'as scales=dict(tokens=7.5)'
            )
        for slot in scales:
            check_choice('SlotGuidance.scales: slot', slot, SLOTS)
        self.slots = tuple(scales)

    def left_out(self, filled: Collection[str]) -> Collection[str]:
        return self.slots

    def check(self, filled: Collection[str], has_guide: bool) -> None:
        super().check(filled, has_guide)
        for slot in self.slots:
            if slot not in filled:
                raise ValueError(
                    f'SlotGuidance.scales names {slot!r}, but the conditioner '
                    f'fills {sorted(filled)}: remove it, or add an embedder '
                    'for it'
                )

    def estimates(
        self, predict: Predict, condition: Condition, null: Condition
    ) -> Estimates:
        self.check(condition.filled, has_guide=False)
        leading = [self.slots[:k] for k in range(len(self.slots) + 1)]
        nothing = condition.with_slots_of(null, self.slots)
        return in_one_call(
            predict,
            [nothing.with_slots_of(condition, slots) for slots in leading],
        )


def _deviation(z: Tensor) -> Tensor:
    """Standard deviation of each sample, (B, 1, ...), > 0."""
    axes = tuple(range(1, z.ndim))
    deviation = z.std(axes, keepdim=True)
    # Avoids a division by 0 for a constant estimate of an untrained network.
    return deviation.clamp(min=torch.finfo(z.dtype).tiny)
