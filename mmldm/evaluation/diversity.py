"""Metric: do several images for one condition differ?"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import METRICS, MODELS
from mmldm.utils.typing import ConfigType


@METRICS.register_module()
class LPIPSDiversity(BaseMetric):
    """Mean LPIPS between the samples of an entry; higher is better.

    Zhu et al. 2017 (arXiv:1711.11586), section 4: 0 means that a model draws
    one image for each condition. The test data set's ``samples_per_entry`` is
    the number of samples. Images are kept as uint8 until the end.

    Args:
        lpips: Config of ``LPIPS``.

    Raises:
        FileNotFoundError: If the files of ``LPIPS`` are missing.
    """

    default_prefix = 'diversity'

    def __init__(self, lpips: ConfigType | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lpips = MODELS.build(lpips or dict(type='LPIPS'))

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the images of a batch."""
        self.lpips.to(data_samples[0]['pred_img'].device)
        self.results += [
            (int(sample['source_idx']), sample['pred_img'].cpu())
            for sample in data_samples
        ]

    def compute_metrics(
        self, results: list[tuple[int, Tensor]]
    ) -> dict[str, float]:
        """``lpips``, the mean over all pairs of all entries.

        Raises:
            ValueError: If no entry has two samples.
        """
        groups: dict[int, list[Tensor]] = {}
        for source, image in results:
            groups.setdefault(source, []).append(image)
        distances = [
            self._distance(*pair)
            for images in groups.values()
            for pair in combinations(images, 2)
        ]
        if not distances:
            raise ValueError(
                'LPIPSDiversity needs two samples or more of an entry: set '
                'test_dataloader.dataset.samples_per_entry=2'
            )
        return dict(lpips=sum(distances) / len(distances))

    @torch.no_grad()
    def _distance(self, image: Tensor, other: Tensor) -> float:
        device = next(self.lpips.buffers(), image).device
        pair = (x[None].to(device) / 127.5 - 1 for x in (image, other))
        return float(self.lpips(*pair))
