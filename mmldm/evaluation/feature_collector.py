"""Collection of the features of images that arrive in batches."""

from collections.abc import Collection, Iterator, Sequence

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
# Rows that all processes exchange at a time.
ROWS = 1024


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
        self.waiting: list[Tensor] = []
        self.count = 0
        self.kept: list[int] = []
        self.features: list[Tensor] | None = [] if keep_features else None
        self.logits: list[Tensor] | None = [] if keep_logits else None

    def add(
        self, images: Sequence[Tensor], kept: Sequence[bool] | None = None
    ) -> None:
        """Add images.

        Args:
            images: uint8 RGB (3, H, W), of any sizes.
            kept: Whether to keep the features of an image if features are
                kept; None keeps all.
        """
        numbers = range(self.count, self.count + len(images))
        flags = [True] * len(images) if kept is None else kept
        self.kept += [
            n for n, flag in zip(numbers, flags, strict=True) if flag
        ]
        flags = iter(flags)
        device = images[0].device
        if device != next(self.network.parameters()).device:
            self.network.to(device)
        for batch in _batches(images):
            with same_rounding(device):
                features, logits = self.network(batch)
            self.waiting += features.cpu()
            wanted = [next(flags) for _ in batch]
            self._keep(self.features, features, wanted)
            self._keep(self.logits, logits, wanted)
        self.count += len(images)
        # The last image is not summed yet: it may be a repeated one.
        if len(self.waiting) > BLOCK:
            self.moments.add(torch.stack(self.waiting[:-1]))
            del self.waiting[:-1]

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
        repeated = self.count - len(range(rank, size, world))
        if repeated > 0:
            del self.waiting[-repeated:]
        if self.waiting:
            self.moments.add(torch.stack(self.waiting))
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

    @staticmethod
    def _keep(
        rows: list[Tensor] | None, values: Tensor | None, wanted: list[bool]
    ) -> None:
        if rows is not None and values is not None:
            # A copy: a row of a batch would keep the whole batch.
            rows += [row.clone() for row in values.cpu()[torch.tensor(wanted)]]


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


def _batches(images: Sequence[Tensor]) -> Iterator[Tensor]:
    """Batches of the images for the network, (B, 3, H, W).

    On a CPU, images come one by one: this costs no more there, and rounding
    does not depend on the batch size.
    """
    together = images[0].is_cuda and len({i.shape for i in images}) == 1
    if together:
        yield torch.stack(list(images))
    else:
        yield from (image[None] for image in images)


def spread(count: int, most: int) -> set[int]:
    """Numbers of at most ``most`` images, evenly spread over ``count``."""
    return (
        {i * count // most for i in range(most)}
        if count > most
        else {*range(count)}
    )


def _gathered(
    rows: list[Tensor] | None, width: int, numbers: Tensor, size: int
) -> Tensor | None:
    """Rows of all processes in image order; None on ranks other than 0.

    Args:
        rows: Values of images, (width,) each; they are removed from the list.
            None where nothing was kept.
        width: Number of values of an image.
        numbers: Number of each image in the set; those from ``size`` on are
            repeated images.
        size: Number of images in the set.
    """
    if rows is None:
        return None
    table = torch.stack(rows) if rows else torch.empty(0, width)
    rows.clear()
    table, numbers = _all_rows(table), _all_rows(numbers)
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
