"""Base class of metrics over several images for one entry of the data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor


@dataclass(frozen=True)
class Draw:
    """A generated image, with the fields to compare it with.

    Args:
        source: Index of the entry of the data set.
        image: The generated image, uint8 RGB (3, H, W).
        fields: Values of the fields to compare with.
    """

    source: int
    image: Tensor
    fields: tuple[Tensor, ...]


class DrawsMetric(BaseMetric):
    """Metric of single samples, and of the mean of an entry's samples.

    The data set's ``num_draws`` is the number of samples of an entry.
    """

    #: Fields of a sample that images are compared with.
    fields: tuple[str, ...]

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
                Draw(
                    sample['source_idx'],
                    sample['pred_img'].cpu(),
                    tuple(field.cpu() for field in kept),
                )
            )

    def mean_of(
        self, results: Sequence[Draw], judge: Callable[..., Any]
    ) -> float:
        """The mean of ``judge(image, *fields)`` over the samples."""
        scores = [judge(draw.image, *draw.fields) for draw in results]
        return sum(scores) / len(scores)


def mean_draws(results: Sequence[Draw]) -> list[Draw]:
    """One draw for each entry, with the mean image of its draws, float64."""
    groups: dict[int, list[Draw]] = {}
    for draw in results:
        groups.setdefault(draw.source, []).append(draw)
    return [
        replace(
            draws[0],
            image=torch.stack([draw.image.double() for draw in draws]).mean(0),
        )
        for draws in groups.values()
    ]
