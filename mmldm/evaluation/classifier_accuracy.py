"""Metric: do generated images show the requested class?"""

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import DATASETS, METRICS
from mmldm.utils.typing import ConfigType


def pooled_features(image: Tensor, size: int) -> np.ndarray:
    """Pooled grey values, (size * size,) in [0, 1], of uint8 (3, H, W)."""
    grey = image.float().mean(0, keepdim=True) / 255
    return F.adaptive_avg_pool2d(grey, size).flatten().cpu().numpy()


@METRICS.register_module()
class ClassifierAccuracy(BaseMetric):
    """Accuracy of a support-vector classifier on generated images.

    The classifier is fitted to real training images only. Its accuracy on real
    test images is given as ``test_accuracy_real``. It suits small grey images:
    its input is the pixels, pooled to ``feature_size``.

    Args:
        train_dataset: Real images with labels, for the fit.
        test_dataset: Other real images with labels.
        feature_size: Side of the pooled image, pixels.
    """

    def __init__(
        self,
        train_dataset: ConfigType,
        test_dataset: ConfigType,
        feature_size: int = 8,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.train_dataset = train_dataset
        self.test_dataset = test_dataset
        self.feature_size = feature_size

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep features and labels of a batch."""
        self.results += [
            (
                self._features(sample['pred_img']),
                int(sample['gt_label']['label']),
            )
            for sample in data_samples
        ]

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """``class_accuracy`` and ``test_accuracy_real``, in [0, 1]."""
        from sklearn.svm import SVC

        classifier = SVC(C=10, gamma='scale')
        classifier.fit(*self._real(self.train_dataset))
        return dict(
            class_accuracy=classifier.score(*_columns(results)),
            test_accuracy_real=classifier.score(
                *self._real(self.test_dataset)
            ),
        )

    def _features(self, image: Tensor) -> np.ndarray:
        return pooled_features(image, self.feature_size)

    def _real(self, config: ConfigType) -> tuple[np.ndarray, np.ndarray]:
        samples = list(DATASETS.build(config))
        return _columns(
            [
                (
                    self._features(sample['inputs']),
                    sample['data_samples'].label,
                )
                for sample in samples
            ]
        )


def _columns(rows: list[tuple]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of (features, label) -> features (N, D), labels (N,)."""
    features, labels = zip(*rows, strict=True)
    return np.stack(features), np.array(labels)
