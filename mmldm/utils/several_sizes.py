"""Data sets whose images have several sizes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Sizes = Sequence[tuple[int, int]]


class SeveralSizes:
    """What a data set says about the sizes of its images.

    A batch has images of one size, so that the order of the samples and the
    log depend on sizes. A data set derives from this class, sets ``sizes``
    and implements :meth:`size_numbers`.

    Attributes:
        sizes: Height and width of each size, pixels.
        samples_per_entry: Samples of each entry, one after the other.
    """

    sizes: Sizes | None = None
    samples_per_entry: int = 1

    def size_numbers(self) -> np.ndarray | None:
        """The number of each entry's size; None if all have one size."""
        return None

    def size_groups(self) -> np.ndarray | None:
        """The number of each sample's size; None if all have one size."""
        numbers = self.size_numbers()
        if numbers is None:
            return None
        return np.repeat(numbers, self.samples_per_entry)

    def size_counts(self) -> list[tuple[int, int, int]] | None:
        """Height, width and number of entries of each size.

        None if all have one size.
        """
        numbers = self.size_numbers()
        if numbers is None:
            return None
        return count_sizes(numbers, self.sizes)


def sizes_of(dataset: Any) -> SeveralSizes:
    """The sizes of any data set; one size if it does not say."""
    return dataset if isinstance(dataset, SeveralSizes) else SeveralSizes()


def count_sizes(
    numbers: np.ndarray, sizes: Sizes
) -> list[tuple[int, int, int]]:
    """Height, width and number of images of each size that has images."""
    counts = np.bincount(numbers, minlength=len(sizes)).tolist()
    return [(*sizes[i], n) for i, n in enumerate(counts) if n]
