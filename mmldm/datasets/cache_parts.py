"""The files of a latent cache that hold its entries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .size_choice import unpacked_numbers


class CacheParts(Sequence):
    """The entries of each file; all of a file have one size.

    Args:
        manifest: What the cache was made from: ``num_entries``,
            ``part_size``, the most entries of a file, and, if entries have
            several sizes, the packed numbers of these as ``size_numbers``.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.count, self.most = manifest['num_entries'], manifest['part_size']
        packed = manifest.get('size_numbers')
        self.numbers = None if packed is None else unpacked_numbers(packed)
        if self.numbers is not None:
            self._sort()

    def _sort(self) -> None:
        """Order entries by size, and cut each size into files."""
        self.order = np.argsort(self.numbers, kind='stable')
        self.ranks = np.empty_like(self.order)
        self.ranks[self.order] = np.arange(self.count)
        ends = np.cumsum(np.bincount(self.numbers))
        self.starts = [
            start
            for first, end in zip([0, *ends[:-1]], ends, strict=True)
            for start in range(first, end, self.most)
        ]

    def __len__(self) -> int:
        """Number of files."""
        if self.numbers is None:
            return -(-self.count // self.most)
        return len(self.starts)

    def __getitem__(self, number: int) -> Sequence[int]:
        """The entries of a file, in order."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        if self.numbers is None:
            first = number * self.most
            return range(first, min(first + self.most, self.count))
        first, end = [*self.starts, self.count][number : number + 2]
        return self.order[first:end].tolist()

    def place(self, entry: int) -> tuple[int, int]:
        """The number of an entry's file, and its row there."""
        if self.numbers is None:
            return divmod(entry, self.most)
        rank = int(self.ranks[entry])
        number = int(np.searchsorted(self.starts, rank, 'right')) - 1
        return number, rank - self.starts[number]
