"""Estimates for large latents, window by window."""

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
    """Overlapping windows whose estimates are blended at every step.

    The denoiser sees a window as large as in training, and needs only its
    memory, for latents of any size. This is ``split_input_params`` of the
    original code, and MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113,
    eq. 5). A spatial condition is cut together with the latent; tokens and
    vectors are those of the whole image. Windows are cut along the last two
    axes, rows and columns; a window of a video has all frames.

    Args:
        size: Side of a window in latent positions, such as the training size.
        overlap: Smallest overlap of neighbours in latent positions, in
            [0, size); None for half of the size.
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
        """``predict`` for latents of any size."""

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
        """Starts of the windows, evenly spaced from border to border."""
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
    """Weight of each position of a window, smallest at its border."""
    rows, columns = (
        torch.minimum(torch.arange(1, n + 1), torch.arange(n, 0, -1))
        for n in size
    )
    return rows[:, None] * columns
