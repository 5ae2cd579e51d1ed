"""Metrics of the holes of inpainted images."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import METRICS
from mmldm.utils import check_range
from mmldm.utils.typing import ConfigType

# SSIM and LPIPS need this many pixels.
SMALLEST = 32


@METRICS.register_module()
class HoleMetrics(BaseMetric):
    """Another metric, of images with large holes or of the holes alone.

    Rombach et al. 2022, table 7, give FID and LPIPS of all images and of those
    whose hole covers 40 to 50 per cent. The metric reads ``mask``.

    Args:
        metric: Config of a metric that judges image by image, such as
            ``ReconstructionMetrics`` or ``ReconstructionFID``.
        least: Smallest share of an image's pixels in its hole.
        most: Largest share.
        crop: Compare only the smallest box around the hole, of 32 pixels or
            more.

    Raises:
        ValueError: If the shares are not in order in [0, 1].
    """

    default_prefix = 'hole'

    def __init__(
        self,
        metric: ConfigType,
        least: float = 0.0,
        most: float = 1.0,
        crop: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_range('HoleMetrics.least', least, 0, 1)
        check_range('HoleMetrics.most', most, least, 1)
        self.metric = METRICS.build(metric)
        self.least, self.most, self.crop = least, most, crop

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Judge those images of a batch whose hole has the size.

        Raises:
            ValueError: If a sample has no mask.
        """
        for sample in data_samples:
            if 'mask' not in sample:
                raise ValueError(
                    'HoleMetrics needs mask, which is missing in the test '
                    'data: add RandomMask or LoadMask to its pipeline'
                )
            hole = sample['mask'][0].bool()
            # An empty tuple keeps the place in the order of all processes.
            result = ()
            if self.least <= float(hole.double().mean()) <= self.most:
                part = _cropped(sample, hole) if self.crop else sample
                self.metric.process(data_batch, [part])
                result = (self.metric.results.pop(),)
            self.results.append(result)

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """The other metric's values, and ``num_images``."""
        judged = [row for result in results for row in result]
        if not judged:
            return dict(num_images=0)
        values = self.metric.compute_metrics(judged)
        return values | dict(num_images=len(judged))


def _cropped(sample: dict, hole: Tensor) -> dict:
    """The sample with its images cut to the box around the hole."""
    box = []
    for dim, length in enumerate(hole.shape):
        places = hole.any(dim=1 - dim).nonzero().flatten().tolist()
        first, end = (places[0], places[-1] + 1) if places else (0, length)
        missing = max(SMALLEST - (end - first), 0)
        first = max(min(first - missing // 2, length - SMALLEST), 0)
        box.append(slice(first, max(end, min(first + SMALLEST, length))))
    return sample | {
        name: sample[name][(slice(None), *box)]
        for name in ('pred_img', 'gt_img', 'mask')
        if name in sample
    }
