"""Collection of the features of images that arrive in batches."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor

from mmldm.models.feature_networks import FeatureNetwork
from mmldm.utils.distributed import wait_for_all
from mmldm.utils.same_rounding import same_rounding

from .feature_moments import FeatureMoments
from .feature_sets import NEED_FEATURES, FeatureSet

# Features to gather before they are summed: few rows would cost as much.
BLOCK = 256
# Images of up to SMALL pixels a side that a CPU takes at a time: one by one
# they take three times as long. Larger ones are not faster together.
GROUP, SMALL = 8, 64
# Rows that all processes exchange at a time.
ROWS = 1024


class _Waiting(NamedTuple):
    """An image whose features are not taken yet.

    Attributes:
        number: Number of the image in this process.
        image: uint8 RGB (3, H, W).
        kept: Whether to keep its features if features are kept.
    """

    number: int
    image: Tensor
    kept: bool


class _Rows:
    """Values of images, in few large blocks.

    Rows of their own would be spread over the memory of images, of which
    nothing large could be used again: 390 kB an image of 256x256 (measured).
    """

    def __init__(self) -> None:
        self.blocks: list[Tensor] = []
        self.count = 0

    def append(self, row: Tensor) -> None:
        """Copy the values of an image."""
        place = self.count % ROWS
        if not place:
            self.blocks.append(row.new_empty(ROWS, len(row)))
        self.blocks[-1][place] = row
        self.count += 1

    def table(self, width: int) -> Tensor:
        """All values, (N, width); they are no longer kept here."""
        if not self.count:
            return torch.empty(0, width)
        last = self.blocks.pop()[: (self.count - 1) % ROWS + 1]
        blocks, self.blocks, self.count = [*self.blocks, last], [], 0
        return torch.cat(blocks)


class FeatureCollector:
    """Collects the features of the images of one process.

    Images are not kept. Sums are kept, and the features of each image only on
    request.

    Args:
        network: The feature network.
        keep_features: Keep the features of each image.
        keep_logits: Keep the class scores of each image.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        keep_features: bool = False,
        keep_logits: bool = False,
    ) -> None:
        self.network = network
        self.moments = FeatureMoments(network.num_features)
        self.buckets: dict[tuple, list[_Waiting]] = {}
        self.waiting: dict[int, Tensor] = {}
        self.count = 0
        self.kept: list[int] = []
        self.features = _Rows() if keep_features else None
        self.logits = _Rows() if keep_logits else None

    def add(
        self, images: Sequence[Tensor], kept: Sequence[bool] | None = None
    ) -> None:
        """Add images.

        Args:
            images: uint8 RGB (3, H, W), of any sizes.
            kept: Whether to keep the features of an image if features are
                kept; None keeps all.
        """
        device = images[0].device
        if device != next(self.network.parameters()).device:
            self.network.to(device)
        flags = [True] * len(images) if kept is None else kept
        for image, flag in zip(images, flags, strict=True):
            bucket = self.buckets.setdefault(tuple(image.shape), [])
            bucket.append(_Waiting(self.count, image, flag))
            self.count += 1
        for bucket in self.buckets.values():
            self._take(bucket, finished=device.type == 'cuda')

    def _take(self, bucket: list[_Waiting], finished: bool) -> None:
        """Take the features of the full groups of a bucket, or of all.

        On a CPU, groups have one size, whatever the batches are: rounding
        depends on it, but not on an image's place and neighbours.
        """
        size = GROUP if self.network.side <= SMALL else 1
        if bucket and bucket[0].image.is_cuda:
            size = len(bucket)
        while len(bucket) >= size or (finished and bucket):
            group = bucket[:size]
            del bucket[:size]
            missing = size - len(group)
            batch = [item.image for item in group + group[-1:] * missing]
            with same_rounding(batch[0].device):
                features, logits = self.network(torch.stack(batch))
            self._keep(group, features, logits)

    def _keep(
        self, group: list[_Waiting], features: Tensor, logits: Tensor | None
    ) -> None:
        """Keep the values of a group, and sum features if there are many."""
        # Copies: a row of a batch would keep the whole batch.
        rows = [row.clone() for row in features.cpu()[: len(group)]]
        numbers = [item.number for item in group]
        self.waiting |= dict(zip(numbers, rows, strict=True))
        kept = [i for i, item in enumerate(group) if item.kept]
        self.kept += [numbers[i] for i in kept]
        for i in kept:
            if self.features is not None:
                self.features.append(rows[i])
            if self.logits is not None and logits is not None:
                self.logits.append(logits[i].cpu())
        if len(self.waiting) > BLOCK:
            # The last image is not summed yet: it may be a repeated one.
            last = {self.count - 1: self.waiting.pop(self.count - 1, None)}
            self.moments.add(torch.stack([*self.waiting.values()]))
            self.waiting = {
                n: row for n, row in last.items() if row is not None
            }

    def finish(self, size: int, rank: int = 0, world: int = 1) -> FeatureSet:
        """The feature set of all processes' images; all must call it.

        Only rank 0 gets the features themselves.

        Args:
            size: Number of images of all processes. Images that a sampler
                repeats for equal shares are left out.
            rank: Rank of this process, which had images rank, rank + world,
                ...
            world: Number of processes.
        """
        for bucket in self.buckets.values():
            self._take(bucket, finished=True)
        rows = [
            row for n, row in self.waiting.items() if rank + world * n < size
        ]
        if rows:
            self.moments.add(torch.stack(rows))
        wait_for_all('features')
        self.moments.reduce()
        numbers = torch.tensor([rank + world * n for n in self.kept])
        tables = [
            _gathered(rows, width, numbers, size)
            for rows, width in (
                (self.features, self.network.num_features),
                (self.logits, self.network.num_classes),
            )
        ]
        return FeatureSet(self.moments, self.network.protocol, *tables)


def collector_for(
    network: FeatureNetwork, metrics: Collection[str]
) -> FeatureCollector:
    """A collector that keeps what some metrics need.

    Args:
        network: The feature network.
        metrics: Names of :data:`mmldm.evaluation.feature_sets.METRICS`.
    """
    return FeatureCollector(
        network,
        keep_features=not NEED_FEATURES.isdisjoint(metrics),
        keep_logits='is' in metrics,
    )


def spread(count: int, most: int) -> set[int]:
    """Numbers of at most ``most`` images, evenly spread over ``count``."""
    return (
        {i * count // most for i in range(most)}
        if count > most
        else {*range(count)}
    )


def _gathered(
    rows: _Rows | None, width: int, numbers: Tensor, size: int
) -> Tensor | None:
    """Rows of all processes in image order; None on ranks other than 0.

    Args:
        rows: Values of images; None where nothing was kept.
        width: Number of values of an image.
        numbers: Number of each image in the set; those from ``size`` on are
            repeated images.
        size: Number of images in the set.
    """
    if rows is None:
        return None
    table, numbers = _all_rows(rows.table(width)), _all_rows(numbers)
    if get_rank() > 0:
        return None
    order = numbers.argsort()
    order = order[numbers[order] < size]
    in_order = torch.equal(order, torch.arange(len(table)))
    return table if in_order else table[order]


def _all_rows(table: Tensor) -> Tensor:
    """The rows of all processes, one process after the other, on rank 0."""
    if get_world_size() == 1:
        return table
    counts = [int(n) for n in all_gather(torch.tensor(len(table)))]
    parts: list[list[Tensor]] = [[] for _ in counts]
    for start in range(0, max(counts), ROWS):
        block = table.new_zeros(ROWS, *table.shape[1:])
        own = table[start : start + ROWS]
        block[: len(own)] = own
        blocks = all_gather(block)
        for part, other, count in zip(parts, blocks, counts, strict=True):
            if get_rank() == 0 and count > start:
                part.append(other[: count - start].cpu())
    found = [block for part in parts for block in part]
    return torch.cat(found) if found else table
