"""The sample at each place of an endless order, in closed form."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mmldm.utils import address_seed


class PlainOrder:
    """One pass through all samples after the other.

    Args:
        length: Number of samples.
        seed: Seed of the order.
        shuffle: Use a new permutation each pass, not the samples' order.
    """

    def __init__(self, length: int, seed: int, shuffle: bool) -> None:
        self.length = length
        self.shuffle = shuffle
        self.permutation = lru_cache(1)(
            lambda number: permutation(length, (seed, number), 'order')
        )

    def at(self, place: int) -> tuple[int, int]:
        """The sample at a place, and the number of passes before it."""
        number, place = divmod(place, self.length)
        if self.shuffle:
            place = self.permutation(number)[place]
        return place, number


class OneSizeOrder:
    """Batches whose samples have one size, without end.

    The samples of each size are in an endless order of their own, one pass
    after the other, which is cut into batches. In E passes through all N
    samples, a size with n of them has floor(E n / batch_size) batches: a rest
    that fills no batch comes first in the next pass, and no sample is left
    out or preferred. The batches of a pass are shuffled.

    Args:
        groups: The number of each sample's size, (N,).
        batch_size: Samples of a batch, of all processes.
        seed: Seed of the order.
        shuffle: Use new permutations each pass, not the samples' order.
    """

    def __init__(
        self, groups: np.ndarray, batch_size: int, seed: int, shuffle: bool
    ) -> None:
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.members = {
            int(g): np.flatnonzero(groups == g) for g in np.unique(groups)
        }
        self.length = len(groups)
        self.batch = lru_cache(1)(self._batch)
        self.batches_of = lru_cache(1)(self._batches_of)
        # A batch reaches back into the pass before.
        self.permutations = {
            g: lru_cache(2)(self._permutation_of(g)) for g in self.members
        }

    def at(self, place: int) -> tuple[int, int]:
        """The sample at a place, and the passes of its size before it."""
        batch, place = divmod(place, self.batch_size)
        group, rank = self.batch(batch)
        members = self.members[group]
        done = rank * self.batch_size + place
        number, place = divmod(done, len(members))
        if self.shuffle:
            place = self.permutations[group](number)[place]
        return members[place], number

    def _batch(self, batch: int) -> tuple[int, int]:
        """The size of a batch, and the number of its batches before."""
        number = self._pass_of(batch)
        return self.batches_of(number)[batch - self._batches_before(number)]

    def _batches_before(self, number: int) -> int:
        """Batches in a number of passes."""
        return sum(self._full_batches(number))

    def _full_batches(self, number: int) -> list[int]:
        """Batches of each size in a number of passes."""
        return [
            number * len(members) // self.batch_size
            for members in self.members.values()
        ]

    def _pass_of(self, batch: int) -> int:
        """The pass that a batch belongs to."""
        first = max(0, batch * self.batch_size // self.length - 1)
        last = (batch + len(self.members)) * self.batch_size // self.length + 1
        passes = range(first, last + 1)
        found = bisect_right(passes, batch, key=self._batches_before)
        return passes[found - 1]

    def _batches_of(self, number: int) -> Sequence[tuple[int, int]]:
        """(size, number of its batches before) of each batch of a pass."""
        ends = zip(
            self.members,
            self._full_batches(number),
            self._full_batches(number + 1),
            strict=True,
        )
        batches = [(g, i) for g, start, end in ends for i in range(start, end)]
        if not self.shuffle:
            return batches
        address = self.seed, number
        places = permutation(len(batches), address, 'batches')
        return [batches[place] for place in places]

    def _permutation_of(self, group: int):
        count = len(self.members[group])
        return lambda number: permutation(
            count, (self.seed, number, group), 'order'
        )


def permutation(count: int, address: tuple[int, ...], name: str) -> np.ndarray:
    """A random order of numbers, as a function of an address."""
    key = address_seed(address, name)
    return np.random.Generator(np.random.Philox(key=key)).permutation(count)
