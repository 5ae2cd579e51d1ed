"""Several images that were drawn for one entry of a dataset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor


@dataclass(frozen=True)
class Draw:
    """What is kept of a sample.

    Args:
        source: Entry of the dataset.
        image: What was drawn, uint8 RGB (3, H, W).
        fields: What it is compared with.
    """

    source: int
    image: Tensor
    fields: tuple[Tensor, ...]


class DrawsMetric(BaseMetric):
    """Judges samples, and the means of those of one entry.

    The entries' ``num_draws`` says how many samples an entry has.
    """

    #: Fields of a sample that images are compared with.
    fields: tuple[str, ...]

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the images of a batch.

        Raises:
            ValueError: If a sample lacks what they are compared with.
        """
        for sample in data_samples:
            for name in (*self.fields, 'source_idx'):
                if name not in sample:
                    raise ValueError(
                        f'{type(self).__name__} compares images with {name}, '
                        'which the test data lack: see its docstring'
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
    """One for each entry, whose image is the mean of the entry's, float64."""
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
