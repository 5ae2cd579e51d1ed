"""Metric: do generated images show the requested class?"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import DATASETS, METRICS, MODELS
from mmldm.utils.typing import ConfigType

# Images whose features a network computes at a time.
BATCH = 8


def pooled_features(image: Tensor, size: int) -> np.ndarray:
    """Pooled grey values, (size * size,) in [0, 1], of uint8 (3, H, W)."""
    grey = image.float().mean(0, keepdim=True) / 255
    return F.adaptive_avg_pool2d(grey, size).flatten().cpu().numpy()


@METRICS.register_module()
class ClassifierAccuracy(BaseMetric):
    """Accuracy of a support-vector classifier on generated images.

    The classifier is fitted to real training images only. Its accuracy on real
    test images is given as ``test_accuracy_real``. Its input is the features
    of a network, or the grey pixels, which suits small images.

    Args:
        train_dataset: Real images with labels, for the fit.
        test_dataset: Other real images with labels.
        feature_size: Side of the pooled image, pixels, if there is no network.
        features: Config of a ``FeatureNetwork``, such as
            ``EfficientNetLiteFeatures``; None for the pixels.
    """

    def __init__(
        self,
        train_dataset: ConfigType,
        test_dataset: ConfigType,
        feature_size: int = 8,
        features: ConfigType | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.train_dataset = train_dataset
        self.test_dataset = test_dataset
        self.feature_size = feature_size
        self.network = None if features is None else MODELS.build(features)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep features and labels of a batch."""
        rows = self._features([sample['pred_img'] for sample in data_samples])
        labels = [int(s['gt_label']['label']) for s in data_samples]
        self.results += zip(rows, labels, strict=True)

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

    def _features(self, images: Sequence[Tensor]) -> np.ndarray:
        """The features of images, uint8 (3, H, W) of one size: (N, D)."""
        if self.network is None:
            size = self.feature_size
            return np.stack([pooled_features(image, size) for image in images])
        network = self.network.to(images[0].device)
        batches = (
            torch.stack([*images[i : i + BATCH]])
            for i in range(0, len(images), BATCH)
        )
        return torch.cat([network(x)[0].cpu() for x in batches]).numpy()

    def _real(self, config: ConfigType) -> tuple[np.ndarray, np.ndarray]:
        samples = list(DATASETS.build(config))
        labels = [sample['data_samples'].label for sample in samples]
        rows = self._features([sample['inputs'] for sample in samples])
        return rows, np.array(labels)


def _columns(rows: list[tuple]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of (features, label) -> features (N, D), labels (N,)."""
    features, labels = zip(*rows, strict=True)
    return np.stack(features), np.array(labels)
