"""Base class of metrics over several images for one entry of the data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.typing import ConfigType

from .patch_features import PatchDistance
from .sharpness import feature_distance


@dataclass(frozen=True)
class EntrySample:
    """A generated image, with the fields to compare it with.

    Args:
        source: Index of the entry of the data set.
        image: The generated image, uint8 RGB (3, H, W).
        fields: Values of the fields to compare with.
    """

    source: int
    image: Tensor
    fields: tuple[Tensor, ...]


class EntrySamplesMetric(BaseMetric):
    """Metric of single samples, and of the mean of an entry's samples.

    The data set's ``samples_per_entry`` is the number of samples of an entry.

    Args:
        features: Config of an image distance, such as ``PretrainedFeatures``;
            None measures none.
        patches: Also measure the :class:`PatchDistance`, which needs no
            network: a judge that no loss has seen. All images must have one
            size, and there must be two entries or more.
        kwargs: Arguments of mmengine's ``BaseMetric``.
    """

    #: Fields of a sample that images are compared with.
    fields: tuple[str, ...]

    def __init__(
        self,
        features: ConfigType | None = None,
        patches: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.distance = None if features is None else MODELS.build(features)
        self.patches = patches

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the images of a batch.

        Raises:
            ValueError: If a sample lacks a field to compare with.
        """
        for sample in data_samples:
            for name in (*self.fields, 'source_idx'):
                if name not in sample:
                    raise ValueError(
                        f'{type(self).__name__} needs {name}, which is '
                        'missing in the test data: add it to the data set '
                        'or pipeline of test_dataloader'
                    )
            kept = (torch.as_tensor(sample[name]) for name in self.fields)
            self.results.append(
                EntrySample(
                    sample['source_idx'],
                    sample['pred_img'].cpu(),
                    tuple(field.cpu() for field in kept),
                )
            )

    def mean_of(
        self, results: Sequence[EntrySample], judge: Callable[..., Any]
    ) -> float:
        """The mean of ``judge(image, *fields)`` over the samples."""
        scores = [judge(sample.image, *sample.fields) for sample in results]
        return sum(scores) / len(scores)

    def distances(
        self, samples: Mapping[str, Sequence[EntrySample]]
    ) -> dict[str, float]:
        """``features_NAME`` and ``patches_NAME``, mean distances of samples.

        They are distances to the first of ``fields``.

        Args:
            samples: Samples by NAME, of the same entries each.
        """
        values = {}
        if self.distance is not None:
            values |= {
                f'features_{name}': self.mean_of(some, self.feature_distance)
                for name, some in samples.items()
            }
        if self.patches:
            first = next(iter(samples.values()))
            truths = {sample.source: sample.fields[0] for sample in first}
            numbers = {source: i for i, source in enumerate(truths)}
            distance = PatchDistance([*truths.values()])
            values |= {
                f'patches_{name}': distance(
                    [sample.image for sample in some],
                    [numbers[sample.source] for sample in some],
                )
                for name, some in samples.items()
            }
        return values

    def feature_distance(
        self, image: Tensor, truth: Tensor, *_: Tensor
    ) -> float:
        """Distance of an image to the first of its fields."""
        return feature_distance(self.distance, image, truth)


def mean_of_entries(results: Sequence[EntrySample]) -> list[EntrySample]:
    """One sample for each entry, with the mean of its images, float64."""
    groups: dict[int, list[EntrySample]] = {}
    for sample in results:
        groups.setdefault(sample.source, []).append(sample)
    return [
        replace(
            samples[0],
            image=torch.stack(
                [sample.image.double() for sample in samples]
            ).mean(0),
        )
        for samples in groups.values()
    ]
