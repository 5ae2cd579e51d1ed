"""Features of image sets, and metrics between two sets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .feature_moments import FeatureMoments, moments_distance

# Kynkaanniemi et al. 2019 (arXiv:1904.06991) and Naeem et al. 2020
# (arXiv:2002.09797): the neighbour that gives the radius of a ball.
PRECISION_NEIGHBOUR, DENSITY_NEIGHBOUR = 3, 5
# Binkowski et al. 2018 (arXiv:1801.01401), and torch-fidelity's splits.
KID_SUBSETS, KID_SUBSET_SIZE, KID_SEED = 100, 1000, 2020
SPLITS = 10
# Jayasumana et al. 2024 (arXiv:2401.09603), section 4.
CMMD_DEVIATION = 10.0
# Rows of a matrix of distances that are computed at a time.
ROWS = 1024


@dataclass
class FeatureSet:
    """The features of a set of images.

    Args:
        moments: Mean and covariance of the features of all images.
        protocol: Network, its weights, and the preparation of images.
        features: Features of all or some images, in order, (N, D), float32;
            None if no metric needs them.
        logits: Scores of the network's classes, (N, K); None if not kept.
    """

    moments: FeatureMoments
    protocol: dict[str, Any] = field(default_factory=dict)
    features: Tensor | None = None
    logits: Tensor | None = None

    def __len__(self) -> int:
        """Number of images."""
        return int(self.moments.count)


def frechet(generated: FeatureSet, reference: FeatureSet) -> dict[str, float]:
    """``fd``, the Frechet distance; with Inception, it is the FID."""
    distance = moments_distance(generated.moments, reference.moments)
    return dict(fd=distance)


def kernel_distance(
    generated: FeatureSet, reference: FeatureSet
) -> dict[str, float]:
    """``kid`` and ``kid_std``: squared maximum mean discrepancy.

    As in torch-fidelity, the kernel is cubic, and ``kid`` is the mean over 100
    pairs of subsets with 1,000 images, or all if there are fewer.
    """
    from torch_fidelity.metric_kid import kernel_mmd

    sets = [_features(s) for s in (generated, reference)]
    size = min(KID_SUBSET_SIZE, *map(len, sets))
    random = np.random.RandomState(KID_SEED)
    values = []
    for _ in range(KID_SUBSETS):
        # float64 for a subset only: the sets may have 50,000 images.
        pair = [
            s[random.choice(len(s), size, replace=False)].double().numpy()
            for s in sets
        ]
        values.append(kernel_mmd(*pair))
    return dict(kid=float(np.mean(values)), kid_std=float(np.std(values)))


def inception_score(
    generated: FeatureSet, reference: FeatureSet | None = None
) -> dict[str, float]:
    """``is`` and ``is_std``: the Inception Score and its deviation.

    Salimans et al. 2016 (arXiv:1606.03498), computed by torch-fidelity for ten
    splits of the shuffled images. It is high if the classes are certain for an
    image and varied over the set. The reference is not used.

    Raises:
        ValueError: If the network gives no classes.
    """
    from torch_fidelity.metric_isc import (
        KEY_METRIC_ISC_MEAN,
        KEY_METRIC_ISC_STD,
        isc_features_to_metric,
    )

    if generated.logits is None:
        raise ValueError(
            f'metric is: {generated.protocol.get("network")} has no classes: '
            "omit 'is', or use InceptionFeatures"
        )
    splits = min(SPLITS, len(generated.logits))
    values = isc_features_to_metric(generated.logits, splits=splits)
    return {
        'is': values[KEY_METRIC_ISC_MEAN],
        'is_std': values[KEY_METRIC_ISC_STD],
    }


def precision_recall(
    generated: FeatureSet, reference: FeatureSet
) -> dict[str, float]:
    """``precision`` and ``recall``: shares of images that match the other set.

    Kynkaanniemi et al. 2019 (arXiv:1904.06991), eq. 2: an image matches a set
    if it is within the third neighbour's distance of one of its images.
    """
    from torch_fidelity.metric_prc import prc_features_to_metric

    values = prc_features_to_metric(
        *(
            _features(s, PRECISION_NEIGHBOUR + 1)
            for s in (generated, reference)
        ),
        prc_neighborhood=PRECISION_NEIGHBOUR,
        prc_batch_size=ROWS,
        save_cpu_ram=True,
        verbose=False,
    )
    return {name: values[name] for name in ('precision', 'recall')}


def density_coverage(
    generated: FeatureSet, reference: FeatureSet
) -> dict[str, float]:
    """``density`` and ``coverage``, which are robust to outliers.

    Naeem et al. 2020 (arXiv:2002.09797), eq. 3 and 4, with k = 5: the number
    of generated images in balls around the real images, and the share of balls
    that have any.
    """
    fake = _features(generated)
    real = _features(reference, DENSITY_NEIGHBOUR + 1)
    inside = torch.zeros(len(real), dtype=torch.int64)
    for start in range(0, len(real), ROWS):
        rows = real[start : start + ROWS]
        radii = torch.cdist(rows, real).kthvalue(DENSITY_NEIGHBOUR + 1).values
        near = torch.cdist(rows, fake) < radii[:, None]
        inside[start : start + ROWS] = near.sum(1)
    return dict(
        density=inside.sum().item() / (DENSITY_NEIGHBOUR * len(fake)),
        coverage=(inside > 0).double().mean().item(),
    )


def clip_discrepancy(
    generated: FeatureSet, reference: FeatureSet
) -> dict[str, float]:
    """``cmmd``, the squared maximum mean discrepancy of CLIP's embeddings.

    Jayasumana et al. 2024 (arXiv:2401.09603), section 4: a Gaussian kernel
    with a deviation of 10, biased estimate, times 1000.
    """
    for images in (generated, reference):
        network = images.protocol.get('network')
        if network != 'CLIPFeatures':
            raise ValueError(
                f"metric cmmd is for CLIP's embeddings, got {network}: set "
                "features=dict(type='CLIPFeatures'), or omit 'cmmd'"
            )
    fake, real = (_features(s).double() for s in (generated, reference))
    within = _mean_kernel(fake, fake) + _mean_kernel(real, real)
    return dict(cmmd=1000 * (within - 2 * _mean_kernel(fake, real)))


def _mean_kernel(x: Tensor, y: Tensor) -> float:
    """Mean of the Gaussian kernel over all pairs."""
    total = 0.0
    for rows in x.split(ROWS):
        squares = torch.cdist(rows, y).square()
        total += float((-squares / (2 * CMMD_DEVIATION**2)).exp().sum())
    return total / (len(x) * len(y))


METRICS: dict[str, Callable[[FeatureSet, FeatureSet], dict[str, float]]] = {
    'fd': frechet,
    'kid': kernel_distance,
    'is': inception_score,
    'precision_recall': precision_recall,
    'density_coverage': density_coverage,
    'cmmd': clip_discrepancy,
}
#: Keys of a protocol that must be equal.
COMPARED = ('network', 'weights', 'side', 'resize')
#: Metrics that need the features of each image.
NEED_FEATURES = {'kid', 'precision_recall', 'density_coverage', 'cmmd'}


def compare_sets(
    generated: FeatureSet, reference: FeatureSet, metrics: Sequence[str]
) -> dict[str, float]:
    """Values of the given :data:`METRICS`, and ``num_images``.

    Raises:
        ValueError: If the sets differ in protocol, or have too few images.
    """
    check_protocols(generated.protocol, reference.protocol)
    values: dict[str, float] = {}
    for metric in metrics:
        values |= METRICS[metric](generated, reference)
    return values | dict(num_images=len(generated))


def check_protocols(own: dict[str, Any], other: dict[str, Any]) -> None:
    """Raise if two sets of features cannot be compared.

    Raises:
        ValueError: If network, weights or preparation differ; names the key
            and both values.
    """
    for key in COMPARED:
        if own.get(key) != other.get(key):
            raise ValueError(
                f'the generated images have features with {key}='
                f'{own.get(key)!r}, the reference has {key}='
                f'{other.get(key)!r}: prepare the reference with the same '
                'features'
            )


def _features(images: FeatureSet, least: int = 2) -> Tensor:
    """The features of each image, of at least ``least`` images.

    Raises:
        ValueError: If features were not kept, or there are too few.
    """
    if images.features is None:
        raise ValueError(
            "the statistics hold no features: omit 'kid', "
            "'precision_recall' and 'density_coverage', or prepare "
            'statistics with --keep'
        )
    if len(images.features) < least:
        raise ValueError(
            f'{len(images.features)} images are too few for this metric: give '
            f'{least} or more, or use fd only'
        )
    return images.features.float()
