"""Metric: distance between the sets of reconstructed and original images."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor, nn

from mmldm.registry import METRICS
from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.weight_files import verify_name, weight_cache

NUM_FEATURES = 2048
# Name in torch's cache, by torch-fidelity and torchmetrics; pytorch-fid names
# the same file pt_inception-...
CACHED = '*inception-2015-12-05-6726825d.pth'


def frechet_distance(features: Tensor, reference: Tensor) -> float:
    """Squared Frechet distance of the Gaussians fitted to two sets.

    Heusel et al. 2017 (arXiv:1706.08500), eq. 6. With centred features
    sqrt(N - 1) Q R, the trace of the root of the covariances' product is the
    sum of the singular values of R_1 R_2^T. torch-fidelity takes the roots of
    the product's eigenvalues, where rounding makes zeros nonzero: its error is
    3e-5 for 100 images and 1e-13 for 5000.

    Args:
        features: Features of N > 1 images, (N, D), float64.
        reference: Features of M > 1 other images, (M, D), float64.
    """
    mean_gap = (features.mean(0) - reference.mean(0)).square().sum()
    roots = [
        torch.linalg.qr((x - x.mean(0)) / (len(x) - 1) ** 0.5, mode='r').R
        for x in (features, reference)
    ]
    spread = sum(root.square().sum() for root in roots)
    shared = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    return float(mean_gap + spread - 2 * shared)


@METRICS.register_module()
class ReconstructionFID(BaseMetric):
    """Frechet Inception distance between ``pred_img`` and ``gt_img``: rFID.

    The network is torch-fidelity's, which has the original's features. Its
    weights are not downloaded.

    Args:
        inception_weights: Path of the network's weights. None searches
            torch's cache, ``torch.hub.get_dir()/checkpoints``; if they are
            missing there, the metric is left out with a warning.

    Raises:
        FileNotFoundError: If the file ``inception_weights`` is missing.
        ValueError: If the file holds other weights, or its SHA-256 differs
            from the digits in its name.
    """

    default_prefix = 'recon'

    def __init__(self, inception_weights: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        path = _find(inception_weights)
        self.network = None if path is None else _inception(path)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the features of a batch and of its originals."""
        if self.network is None:
            self.results += [None] * len(data_samples)
            return
        columns = [
            self._features([sample[key] for sample in data_samples])
            for key in ('pred_img', 'gt_img')
        ]
        self.results += list(zip(*columns, strict=True))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``rfid``, 0 for equal sets."""
        # Another machine may lack the weights.
        if any(row is None for row in results):
            return {}
        count = len(results)
        if count < 2:
            _warn('recon/rfid is left out: one image has no covariance')
            return {}
        if count <= NUM_FEATURES:
            _warn(
                f'recon/rfid of {count} images is biased, as it takes more '
                f'than {NUM_FEATURES}: compare it only with numbers of the '
                'same images'
            )
        features, reference = (
            torch.from_numpy(np.stack(column)).double()
            for column in zip(*results, strict=True)
        )
        return dict(rfid=frechet_distance(features, reference))

    def _features(self, images: list[Tensor]) -> list[np.ndarray]:
        """Features of each image, (2048,), float32."""
        batch = torch.stack(images)
        (features,) = self.network.to(batch.device)(batch)
        return list(features.cpu().numpy())


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)


def _find(inception_weights: str | None) -> Path | None:
    """The weights file; None, and a warning, if none is cached."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    if inception_weights is not None:
        return Path(inception_weights)
    cached = sorted(weight_cache().glob(CACHED))
    if not cached:
        _warn(
            f'recon/rfid is left out, as {weight_cache() / CACHED} is '
            f'missing: download {URL_INCEPTION_V3} to this folder, or set '
            'inception_weights of ReconstructionFID to its path'
        )
        return None
    return cached[0]


def _inception(path: Path) -> nn.Module:
    """The network from uint8 images (B, 3, H, W) to features (B, 2048).

    Raises:
        FileNotFoundError, ValueError: See :class:`ReconstructionFID`.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import (
        URL_INCEPTION_V3,
        FeatureExtractorInceptionV3,
    )

    weights = read_checkpoint(path)
    verify_name(
        path,
        'ReconstructionFID.inception_weights',
        f'download {URL_INCEPTION_V3} again',
    )
    # The network's own reader executes code in a file: it gets safe content.
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    buffer.seek(0)
    try:
        return FeatureExtractorInceptionV3(
            'inception-v3-compat', [str(NUM_FEATURES)], buffer
        )
    except RuntimeError as error:
        raise ValueError(
            f'ReconstructionFID.inception_weights={str(path)!r} does not hold '
            f"the weights of torch-fidelity's Inception: download "
            f'{URL_INCEPTION_V3}'
        ) from error
