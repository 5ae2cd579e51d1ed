"""Turns images into the features of a set, as they come."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmengine.dist import collect_results
from torch import Tensor

from mmldm.models.feature_networks import FeatureNetwork

from .feature_moments import FeatureMoments
from .feature_sets import FeatureSet

# Features that wait to be summed: products of few rows cost as much.
BLOCK = 256


class FeatureCollector:
    """Collects the features of images that one process has made.

    Images are dropped at once; sums stay, and the features of each image
    only where they are asked for.

    Args:
        network: Gives the features.
        keep_features: Keep those of each image.
        keep_logits: Keep the scores of each image.
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
        self.features: list[Tensor] | None = [] if keep_features else None
        self.logits: list[Tensor] | None = [] if keep_logits else None

    def add(self, images: Sequence[Tensor]) -> None:
        """Take images, uint8 RGB (3, H, W) of any sizes."""
        device = images[0].device
        if device != next(self.network.parameters()).device:
            self.network.to(device)
        for batch in _batches(images):
            with _same_rounding(device):
                features, logits = self.network(batch)
            self._keep(self.waiting, features)
            self._keep(self.features, features)
            self._keep(self.logits, logits)
        self.count += len(images)
        # The last image stays: it may turn out to be a repeated one.
        if len(self.waiting) > BLOCK:
            self.moments.add(torch.stack(self.waiting[:-1]))
            del self.waiting[:-1]

    def finish(self, size: int, rank: int = 0, world: int = 1) -> FeatureSet:
        """The set of all processes' images; they all have to call it.

        The features themselves are on rank 0 alone.

        Args:
            size: How many images all processes have together. Those that a
                sampler repeats for equal shares are left out.
            rank: This process, which had the images rank, rank + world, ...
            world: How many there are.
        """
        repeated = self.count - len(range(rank, size, world))
        if repeated > 0:
            del self.waiting[-repeated:]
        if self.waiting:
            self.moments.add(torch.stack(self.waiting))
        self.moments.reduce()
        return FeatureSet(
            self.moments,
            self.network.protocol,
            _gathered(self.features, size),
            _gathered(self.logits, size),
        )

    @staticmethod
    def _keep(kept: list[Tensor] | None, values: Tensor | None) -> None:
        if kept is not None and values is not None:
            kept += values.cpu()


def _batches(images: Sequence[Tensor]) -> Iterator[Tensor]:
    """Images as the network takes them, (B, 3, H, W).

    On a CPU one by one, which costs no more there, and rounds alike for any
    size of batch.
    """
    together = images[0].is_cuda and len({i.shape for i in images}) == 1
    if together:
        yield torch.stack(list(images))
    else:
        yield from (image[None] for image in images)


@contextlib.contextmanager
def _same_rounding(device: torch.device) -> Iterator[None]:
    """One thread on a CPU: several round otherwise than one."""
    threads = torch.get_num_threads()
    if device.type != 'cpu' or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _gathered(values: list[Tensor] | None, size: int) -> Tensor | None:
    """Of all processes, in the order of the images; None but on rank 0."""
    if values is None:
        return None
    rows = collect_results([v.numpy() for v in values], size, 'cpu')
    return torch.from_numpy(np.stack(rows)) if rows else None
