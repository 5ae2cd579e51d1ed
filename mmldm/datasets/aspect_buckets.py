"""Sizes of nearly one area, for images of any proportions."""

import itertools
from collections.abc import Sequence

import numpy as np

from mmldm.registry import DATASETS
from mmldm.utils import check_count, check_positive
from mmldm.utils.image_size import Size, height_and_width, size_text
from mmldm.utils.typing import ConfigType


@DATASETS.register_module()
class AspectBuckets:
    """Sizes among which every image takes the one it loses least by.

    A size has sides that are multiples of ``step``, and as much of the area
    of the data set's ``size`` as such sides can have; after NovelAI's aspect
    ratio bucketing and Podell et al. 2023, section 2.3 (arXiv:2307.01952).

    Args:
        step: Unit of the sides, pixels.
        max_ratio: Largest ratio of the longer side to the shorter one. An
            image that is longer takes the longest size.
    """

    def __init__(self, step: int, max_ratio: float = 2.0) -> None:
        check_count('AspectBuckets.step', step)
        check_positive('AspectBuckets.max_ratio', max_ratio)
        self.step = step
        self.max_ratio = max_ratio

    def sizes(self, size: Size | None) -> list[tuple[int, int]]:
        """All sizes (height, width), from the widest to the tallest.

        Args:
            size: Size of the data set, which has the area.

        Raises:
            ValueError: If there is no size, or there are less than two.
        """
        if size is None:
            raise ValueError(
                'buckets need the size of the data set, whose area they '
                'have: set train_dataloader.dataset.size'
            )
        height, width = height_and_width(size)
        area = height * width
        sides = range(self.step, area // self.step + 1, self.step)
        longest = [(h, area // h // self.step * self.step) for h in sides]
        # Each width once, with the largest of its heights.
        pairs = {w: (h, w) for h, w in longest if w}.values()
        found = [(h, w) for h, w in pairs if self._fits(h, w)]
        if len(found) < 2:
            raise ValueError(
                f'buckets.step={self.step} and buckets.max_ratio='
                f'{self.max_ratio:g} allow {len(found)} sizes of the area of '
                f'size={size_text((height, width))}, expected 2 or more: set '
                'a smaller step, or a larger max_ratio'
            )
        return found

    def _fits(self, height: int, width: int) -> bool:
        return max(height, width) <= self.max_ratio * min(height, width)


def build_buckets(
    buckets: AspectBuckets | ConfigType | None,
) -> AspectBuckets | None:
    """The buckets of a data set, or those of a config; None for one size."""
    return DATASETS.build(buckets) if isinstance(buckets, dict) else buckets


def nearest_sizes(
    shapes: np.ndarray, sizes: Sequence[tuple[int, int]]
) -> np.ndarray:
    """The number of the size that each image loses least by, (N,).

    An image that is scaled to just cover a size loses what is outside, which
    grows with the distance of the logarithms of both ratios.

    Args:
        shapes: Height and width of each image, (N, 2), pixels.
        sizes: The sizes (height, width), at most 65,536.
    """
    ratios = _log_ratios(np.asarray(shapes, dtype=np.float64).reshape(-1, 2))
    own = _log_ratios(np.asarray(sizes, dtype=np.float64))
    order = np.argsort(own, kind='stable')
    middles = [sum(own[[a, b]]) / 2 for a, b in itertools.pairwise(order)]
    return order[np.searchsorted(middles, ratios)].astype(np.uint16)


def covering(
    shapes: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Factor by which each image is scaled, and the part that is cut away.

    Args:
        shapes: Height and width of each image, (N, 2), pixels.
        sizes: Height and width that it has to cover, (N, 2), pixels.
    """
    factors = (sizes / shapes).max(axis=1)
    areas = shapes.prod(axis=1, dtype=np.float64) * factors**2
    return factors, 1 - sizes.prod(axis=1, dtype=np.float64) / areas


def _log_ratios(shapes: np.ndarray) -> np.ndarray:
    return np.log(shapes[:, 0] / shapes[:, 1])
