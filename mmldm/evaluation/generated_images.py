"""Generated images against real ones: FID and its kin."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.dist import (
    broadcast_object_list,
    get_dist_info,
    is_main_process,
)
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmldm.models.feature_networks import build_feature_network
from mmldm.registry import DATASETS, METRICS
from mmldm.utils import check_choice
from mmldm.utils.typing import ConfigType

from .feature_collector import collector_for
from .feature_sets import METRICS as KNOWN
from .feature_sets import FeatureSet, compare_sets
from .reference_statistics import load_statistics

BATCH = 32


@METRICS.register_module()
class GeneratedImages(BaseMetric):
    """How near ``pred_img`` is to real images as a set.

    ``fd`` is the Frechet distance of a network's features, the FID where the
    network is Inception (Heusel et al. 2017, arXiv:1706.08500); ``kid``,
    ``is``, ``precision_recall`` and ``density_coverage`` as of
    :mod:`mmldm.evaluation.feature_sets`. The names of the values begin with
    the network's, such as ``inception/fd``: numbers of different networks,
    weights, sizes or reference sets cannot be compared.

    Each process keeps sums of its images' features, which are exact: ``fd``
    is the same for any number of processes. Only what compares images one by
    one keeps the features.

    Args:
        reference: The real images: config of a dataset, whose pipeline
            prepares them, or a file of ``tools/prepare_reference_stats.py``;
            the tools replace None by the training's dataset.
        features: Config of the feature network; None for Inception where its
            weights are in torch's cache, else for EfficientNet-Lite0.
        measures: Which of the above.

    Raises:
        ValueError: If a measure is unknown, or there is no reference.
    """

    # The network's name is the prefix.
    default_prefix = ''

    def __init__(
        self,
        reference: ConfigType | str | None = None,
        features: ConfigType | None = None,
        measures: Sequence[str] = ('fd',),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if reference is None:
            raise ValueError(
                'GeneratedImages.reference is missing: give the config of a '
                'dataset of real images, or a file of '
                'tools/prepare_reference_stats.py'
            )
        for measure in measures:
            check_choice('GeneratedImages.measures', measure, tuple(KNOWN))
        self.network = build_feature_network(features)
        if 'is' in measures and not self.network.num_classes:
            raise ValueError(
                f"GeneratedImages.measures: 'is' needs classes, which "
                f'{type(self.network).__name__} lacks: leave it out, or take '
                "features=dict(type='InceptionFeatures')"
            )
        self.measures = tuple(measures)
        self.reference = reference
        self.known_reference: FeatureSet | None = None
        if isinstance(reference, str):
            self.known_reference = load_statistics(reference)
        self.collector = collector_for(self.network, measures)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Take the features of a batch."""
        self.collector.add([sample['pred_img'] for sample in data_samples])

    def evaluate(self, size: int) -> dict[str, float]:
        """The values, on every process, of ``size`` images in all."""
        rank, world = get_dist_info()
        generated = self.collector.finish(size, rank, world)
        self.collector = collector_for(self.network, self.measures)
        if self.known_reference is None:
            self.known_reference = self._measured_reference(rank, world)
        outcome = [self._outcome(generated) if is_main_process() else None]
        broadcast_object_list(outcome)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def _outcome(self, generated: FeatureSet) -> dict | Exception:
        """The values, or the error that every process is to raise."""
        try:
            return self.compute_metrics(generated)
        except Exception as error:  # the others wait, whatever it is
            return error

    def compute_metrics(self, generated: FeatureSet) -> dict[str, float]:
        """The values; their protocol goes to the log."""
        reference = self.known_reference
        values = compare_sets(generated, reference, self.measures)
        print_log(
            f'{self.network.name}: {len(generated)} generated images against '
            f'{len(reference)} real ones; {describe(self.network.protocol)}. '
            f'{few_images(generated, reference)}',
            'current',
        )
        prefix = self.prefix or self.network.name
        return {f'{prefix}/{name}': value for name, value in values.items()}

    def _measured_reference(self, rank: int, world: int) -> FeatureSet:
        """The dataset's features, each process taking its share."""
        dataset = DATASETS.build(self.reference)
        collector = collector_for(self.network, {*self.measures} - {'is'})
        # Where the generated images were, whose rounding is the same.
        device = next(self.network.parameters()).device
        for images in _shares(dataset, rank, world):
            collector.add([image.to(device) for image in images])
        return collector.finish(len(dataset), rank, world)


def few_images(*sets: FeatureSet) -> str:
    """A warning where a set is too small for its covariance; else empty."""
    fewest, dim = min(map(len, sets)), len(sets[0].moments.first)
    if fewest > dim:
        return ''
    return (
        f'{fewest} images have no full covariance of {dim} features: '
        'compare with numbers of as many images only'
    )


def describe(protocol: dict[str, Any]) -> str:
    """A protocol in one line."""
    return ', '.join(
        f'{name} {str(value)[:12] if name == "weights" else value}'
        for name, value in protocol.items()
    )


def _shares(dataset: Any, rank: int, world: int) -> Iterator[list[Tensor]]:
    """A process's images, in batches."""
    indices = range(rank, len(dataset), world)
    for start in range(0, len(indices), BATCH):
        part = indices[start : start + BATCH]
        yield [dataset[i]['inputs'] for i in part]
