"""Metric: distance between the sets of generated and real images."""

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import METRICS
from mmldm.utils.typing import ConfigType

from .patch_features import PatchFeatures
from .real_images import real_images
from .reconstruction_fid import frechet_distance


@METRICS.register_module()
class FrechetDistance(BaseMetric):
    """Frechet distance between ``pred_img`` and real images, without network.

    It uses the :class:`PatchFeatures` of the real images, for small images and
    without Inception. Its numbers cannot be compared with any FID.

    Args:
        dataset: The real images; all are used once.
    """

    default_prefix = 'frechet'

    def __init__(self, dataset: ConfigType, **kwargs) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the images of a batch."""
        self.results += [sample['pred_img'].cpu() for sample in data_samples]

    def compute_metrics(self, results: Sequence[Tensor]) -> dict[str, float]:
        """``distance``, >= 0, and 0 for the real images themselves.

        Raises:
            ValueError: If there is only one image, or sizes differ.
        """
        if len(results) < 2:
            raise ValueError(
                f'FrechetDistance got {len(results)} images, expected 2 or '
                'more: raise the number of samples of test_dataloader'
            )
        real = real_images(self.dataset)
        features = PatchFeatures(real)
        return dict(
            distance=frechet_distance(features(results), features(real))
        )
