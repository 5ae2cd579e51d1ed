"""The order of the samples in a training run."""

from collections.abc import Iterator

from mmengine.dist import get_dist_info
from torch.utils.data import Dataset, Sampler

from mmldm.registry import DATA_SAMPLERS
from mmldm.utils.several_sizes import sizes_of

from .sample_order import OneSizeOrder, PlainOrder


class AddressedIndex(int):
    """The index of a sample, with its place in the training run.

    Args:
        index: Index of the sample in the data set.
        seed: Seed of the run.
        epoch: Number of completed passes through the data set.
        position: Place of the sample in the run: the number of samples of
            all earlier iterations + place in the global batch.
    """

    seed: int
    epoch: int
    position: int

    def __new__(
        cls, index: int, seed: int, epoch: int, position: int
    ) -> 'AddressedIndex':
        new = super().__new__(cls, index)
        new.seed, new.epoch, new.position = seed, epoch, position
        return new

    def __reduce__(self) -> tuple:
        # Workers receive it by pickle, which would keep only the int.
        return AddressedIndex, (
            int(self),
            self.seed,
            self.epoch,
            self.position,
        )


@DATA_SAMPLERS.register_module()
class AddressedSampler(Sampler):
    """An endless order of samples that can be entered at any position.

    The sample at a position of the run is a function of (seed, position).
    Ranks take turns, so that a global batch is the same for any number of
    ranks. If the data set has several sizes, every global batch has one of
    them, and the sample is also a function of ``batch_size``.

    Args:
        dataset: A data set of known length.
        seed: Seed of the order; the Runner passes its own.
        shuffle: Use a new permutation each epoch, not the data set's order.
    """

    def __init__(
        self, dataset: Dataset, seed: int | None = None, shuffle: bool = True
    ) -> None:
        if len(dataset) == 0:
            raise ValueError('the training dataset is empty: add samples')
        self.length = len(dataset)
        self.groups = sizes_of(dataset).size_groups()
        self.seed = 0 if seed is None else seed
        self.shuffle = shuffle
        # Set by the loop: samples taken before, and in a batch, by all ranks.
        self.start = 0
        self.batch_size = 1
        self.rank, self.world_size = get_dist_info()

    def __iter__(self) -> Iterator[AddressedIndex]:
        """This rank's samples from ``start`` on, without end."""
        position = self.start + self.rank
        order, skipped = self._order()
        while True:
            index, epoch = order.at(position + skipped)
            yield AddressedIndex(index, self.seed, epoch, position)
            position += self.world_size

    def __len__(self) -> int:
        """Number of samples of this rank in an epoch, rounded up."""
        return -(-self.length // self.world_size)

    def spread(self, count: int) -> list[AddressedIndex]:
        """At most ``count`` samples, evenly spread over the data set."""
        count = min(count, self.length)
        return [
            AddressedIndex(i * self.length // count, self.seed, 0, i)
            for i in range(count)
        ]

    def _order(self) -> tuple[PlainOrder | OneSizeOrder, int]:
        """The order, and the places that are skipped in it."""
        if self.groups is None:
            return PlainOrder(self.length, self.seed, self.shuffle), 0
        order = OneSizeOrder(
            self.groups, self.batch_size, self.seed, self.shuffle
        )
        # After other batch sizes, a batch may have been begun.
        return order, -self.start % self.batch_size
