"""Estimates of large latents, window by window."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.structures import Condition
from mmldm.utils import check_count

from .functional import NoiseLevel
from .guidance.base import Predict

Box = tuple[slice, slice]  # rows, columns


@DIFFUSION_SCHEDULERS.register_module()
class Windows:
    """Overlapping windows, whose estimates are blended at every step.

    The denoiser sees as much as in training and needs the memory of one
    window, however large the latent is; as the original code's
    ``split_input_params``, and MultiDiffusion (Bar-Tal et al. 2023,
    arXiv:2302.08113, eq. 5). A condition beside the latent is cut with it;
    tokens and vectors are those of the whole image. Windows are rows and
    columns, the last two axes: of a video each has all frames.

    Args:
        size: Side of a window in latent positions, such as that of training.
        overlap: Positions that neighbours share at least, in [0, size); None
            for half of the size.
    """

    def __init__(self, size: int, overlap: int | None = None) -> None:
        check_count('Windows.size', size)
        if overlap is None:
            overlap = size // 2
        if not 0 <= overlap < size:
            raise ValueError(
                f'Windows.overlap={overlap} must be in [0, {size}), less than '
                'Windows.size'
            )
        self.size = size
        self.overlap = overlap

    def __call__(self, predict: Predict) -> Predict:
        """``predict`` of latents of any size."""

        def predict_all(
            z: Tensor,
            level: NoiseLevel,
            condition: Condition,
            guide: bool = False,
        ) -> Tensor:
            boxes = self.boxes(z.shape[-2:])
            if len(boxes) == 1:
                return predict(z, level, condition, guide)
            total = torch.zeros_like(z)
            weights = z.new_zeros(z.shape[-2:])
            for box in boxes:
                part = z[..., *box]
                found = predict(part, level, _cut(condition, box), guide)
                weight = _weight(part.shape[-2:]).to(found)
                total[..., *box] += weight * found
                weights[box] += weight
            return total / weights

        return predict_all

    def boxes(self, size: Sequence[int]) -> list[Box]:
        """Windows that cover a latent (h, w), row by row."""
        rows, columns = (
            [slice(start, start + self.size) for start in self._starts(side)]
            for side in size
        )
        return list(product(rows, columns))

    def _starts(self, side: int) -> list[int]:
        """Evenly spaced, from one border to the other."""
        room = side - self.size
        if room <= 0:
            return [0]
        steps = math.ceil(room / (self.size - self.overlap))
        return [round(i * room / steps) for i in range(steps + 1)]


def _cut(condition: Condition, box: Box) -> Condition:
    if condition.spatial is None:
        return condition
    return replace(condition, spatial=condition.spatial[..., *box])


def _weight(size: Sequence[int]) -> Tensor:
    """How much each position of a window counts: least at its border."""
    rows, columns = (
        torch.minimum(torch.arange(1, n + 1), torch.arange(n, 0, -1))
        for n in size
    )
    return rows[:, None] * columns
