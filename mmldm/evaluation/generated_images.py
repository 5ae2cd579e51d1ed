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
from torch.utils.data import DataLoader

from mmldm.models.feature_networks import build_feature_network
from mmldm.registry import DATASETS, METRICS
from mmldm.utils import check_choice
from mmldm.utils.distributed import wait_for_all
from mmldm.utils.typing import ConfigType

from .feature_collector import collector_for, spread
from .feature_moments import FeatureMoments
from .feature_sets import METRICS as KNOWN
from .feature_sets import (
    NEED_FEATURES,
    FeatureSet,
    check_protocols,
    compare_sets,
)
from .reference_statistics import KEPT, check_data, load_statistics
from .statistics_cache import StatisticsCache

BATCH = 32
# Processes that load many images.
WORKERS, MANY = 4, 10_000


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

    The statistics of a data set's images are measured once and kept in torch's
    cache, :class:`StatisticsCache`, with the features of 10,000 images.

    Args:
        reference: The real images: config of a dataset, whose pipeline
            prepares them, or a file of ``tools/prepare_reference_stats.py``;
            the tools replace None by the training's dataset.
        features: Config of the feature network; None for Inception where its
            weights are in torch's cache, else for EfficientNet-Lite0.
        measures: Which of the above.
        data: Config of the data set that a reference file must be made of;
            the tools replace None by the training's. ``{}`` accepts any.

    Raises:
        ValueError: If a measure is unknown, there is no reference, or its
            file is of another network or of other data.
    """

    # The network's name is the prefix.
    default_prefix = ''

    def __init__(
        self,
        reference: ConfigType | str | None = None,
        features: ConfigType | None = None,
        measures: Sequence[str] = ('fd',),
        data: ConfigType | None = None,
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
            check_protocols(
                self.network.protocol, self.known_reference.protocol
            )
            if data:
                check_data(self.known_reference, data)
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
            self.known_reference = self._reference(rank, world)
        outcome = [self._outcome(generated) if is_main_process() else None]
        wait_for_all('metrics')
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
            f'{len(reference)} real ones{features_of(reference)}; '
            f'{describe(self.network.protocol)}. '
            f'{few_images(generated, reference)}',
            'current',
        )
        prefix = self.prefix or self.network.name
        return {f'{prefix}/{name}': value for name, value in values.items()}

    def _reference(self, rank: int, world: int) -> FeatureSet:
        """The data set's features, from the cache or measured."""
        dataset = DATASETS.build(self.reference)
        needs = {*self.measures} - {'is'}
        kept = 0 if NEED_FEATURES.isdisjoint(needs) else KEPT
        cache = StatisticsCache(
            self.reference, dataset, self.network.protocol, kept
        )
        # One process looks for all: another machine may lack the file.
        known = [cache.load() if rank == 0 else None]
        there = [known[0] is not None]
        broadcast_object_list(there)
        if there[0]:
            # Only rank 0 compares.
            return known[0] or FeatureSet(FeatureMoments(0))
        measured = self._measured_reference(dataset, rank, world)
        if rank == 0:
            cache.save(measured)
        return measured

    def _measured_reference(
        self, dataset: Any, rank: int, world: int
    ) -> FeatureSet:
        """The dataset's features, each process taking its share."""
        collector = collector_for(self.network, {*self.measures} - {'is'})
        # Where the generated images were, whose rounding is the same.
        device = next(self.network.parameters()).device
        places = spread(len(dataset), KEPT)
        for numbers, images in _shares(dataset, rank, world):
            collector.add(
                [image.to(device) for image in images],
                [number in places for number in numbers],
            )
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


def features_of(images: FeatureSet) -> str:
    """Text about the features of a set, if not all images have them."""
    if images.features is None or len(images.features) == len(images):
        return ''
    return f' (the features of {len(images.features)} are compared one by one)'


def describe(protocol: dict[str, Any]) -> str:
    """A protocol in one line."""
    return ', '.join(
        f'{name} {str(value)[:12] if name == "weights" else value}'
        for name, value in protocol.items()
    )


def _shares(
    dataset: Any, rank: int, world: int
) -> Iterator[tuple[Sequence[int], list[Tensor]]]:
    """A process's images with their numbers, in batches."""
    numbers = range(rank, len(dataset), world)
    batches = [
        numbers[start : start + BATCH]
        for start in range(0, len(numbers), BATCH)
    ]
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=WORKERS if len(numbers) > MANY else 0,
        collate_fn=lambda samples: [sample['inputs'] for sample in samples],
    )
    yield from zip(batches, loader, strict=True)
