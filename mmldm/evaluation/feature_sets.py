"""Features of a set of images, and how far one set is from another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .feature_moments import FeatureMoments, moments_distance

# Kynkaanniemi et al. 2019 (arXiv:1904.06991) and Naeem et al. 2020
# (arXiv:2002.09797) take this neighbour for the radius of a ball.
PRECISION_NEIGHBOUR, DENSITY_NEIGHBOUR = 3, 5
# Binkowski et al. 2018 (arXiv:1801.01401), and how torch-fidelity splits.
KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000
SPLITS = 10
ROWS = 2048


@dataclass
class FeatureSet:
    """What is known of a set of images.

    Args:
        moments: Mean and covariance of all of them.
        protocol: Network, its weights, and how images were prepared.
        features: Of all or of some of them, in order, (N, D), float32;
            None where no metric asks for them.
        logits: Scores of the network's classes, (N, K); None without.
    """

    moments: FeatureMoments
    protocol: dict[str, Any] = field(default_factory=dict)
    features: Tensor | None = None
    logits: Tensor | None = None

    def __len__(self) -> int:
        """How many images there are."""
        return int(self.moments.count)


def frechet(generated: FeatureSet, reference: FeatureSet) -> dict[str, float]:
    """``fd``, the Frechet distance; by Inception's features the FID."""
    distance = moments_distance(generated.moments, reference.moments)
    return dict(fd=distance)


def kernel_distance(
    generated: FeatureSet, reference: FeatureSet
) -> dict[str, float]:
    """``kid`` and ``kid_std``: squared maximum mean discrepancy.

    By torch-fidelity: a cubic kernel, the mean over 100 pairs of subsets of
    1,000 images, fewer where there are fewer.
    """
    from torch_fidelity.metric_kid import (
        KEY_METRIC_KID_MEAN,
        KEY_METRIC_KID_STD,
        kid_features_to_metric,
    )

    sets = [_features(s).double() for s in (generated, reference)]
    values = kid_features_to_metric(
        *sets,
        kid_subsets=KID_SUBSETS,
        kid_subset_size=min(KID_SUBSET_SIZE, *map(len, sets)),
        verbose=False,
    )
    return dict(
        kid=values[KEY_METRIC_KID_MEAN], kid_std=values[KEY_METRIC_KID_STD]
    )


def inception_score(
    generated: FeatureSet, reference: FeatureSet | None = None
) -> dict[str, float]:
    """``is`` and ``is_std``: sure about an image, unsure about the set.

    Salimans et al. 2016 (arXiv:1606.03498), by torch-fidelity: ten splits of
    the shuffled images. The reference does not matter.

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
            "leave 'is' out, or take InceptionFeatures"
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
    """``precision`` and ``recall``: whose images look like the others'.

    Kynkaanniemi et al. 2019 (arXiv:1904.06991), eq. 2: an image looks like a
    set if it is within the third neighbour's distance of one of its images.
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
    """``density`` and ``coverage``, which outliers move less.

    Naeem et al. 2020 (arXiv:2002.09797), eq. 3 and 4, with k = 5: balls
    around the real images count how many generated ones they hold, and how
    many of them hold any.
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


METRICS: dict[str, Callable[[FeatureSet, FeatureSet], dict[str, float]]] = {
    'fd': frechet,
    'kid': kernel_distance,
    'is': inception_score,
    'precision_recall': precision_recall,
    'density_coverage': density_coverage,
}
#: Parts of a protocol that have to be equal.
COMPARED = ('network', 'weights', 'side', 'resize')
#: Metrics that need the features of each image.
NEED_FEATURES = {'kid', 'precision_recall', 'density_coverage'}


def compare_sets(
    generated: FeatureSet, reference: FeatureSet, metrics: Sequence[str]
) -> dict[str, float]:
    """Values of some of :data:`METRICS`, and ``num_images``.

    Raises:
        ValueError: If the sets have other protocols, or too few images.
    """
    check_protocols(generated.protocol, reference.protocol)
    values: dict[str, float] = {}
    for metric in metrics:
        values |= METRICS[metric](generated, reference)
    return values | dict(num_images=len(generated))


def check_protocols(own: dict[str, Any], other: dict[str, Any]) -> None:
    """Raise where two sets of features cannot be compared.

    Raises:
        ValueError: If network, weights or preparation differ; what differs
            is named with both values.
    """
    for key in COMPARED:
        if own.get(key) != other.get(key):
            raise ValueError(
                f'the generated images have features of {key}='
                f'{own.get(key)!r}, the reference of {key}='
                f'{other.get(key)!r}: prepare the reference with the same '
                'features'
            )


def _features(images: FeatureSet, least: int = 2) -> Tensor:
    """The features of each image, of at least so many.

    Raises:
        ValueError: If they were not kept, or are too few.
    """
    if images.features is None:
        raise ValueError(
            "the statistics hold no features: leave 'kid', "
            "'precision_recall' and 'density_coverage' out, or prepare "
            'statistics that keep some'
        )
    if len(images.features) < least:
        raise ValueError(
            f'{len(images.features)} images are too few for this metric: give '
            f'{least} or more, or judge by fd alone'
        )
    return images.features.float()
