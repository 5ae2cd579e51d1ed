"""Collection of the features of images that arrive in batches."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from mmengine.dist import collect_results
from torch import Tensor

from mmldm.models.feature_networks import FeatureNetwork
from mmldm.utils.same_rounding import same_rounding

from .feature_moments import FeatureMoments
from .feature_sets import NEED_FEATURES, FeatureSet

# Features to gather before they are summed: few rows would cost as much.
BLOCK = 256


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
        self.features: list[Tensor] | None = [] if keep_features else None
        self.logits: list[Tensor] | None = [] if keep_logits else None

    def add(self, images: Sequence[Tensor]) -> None:
        """Add images, uint8 RGB (3, H, W) of any sizes."""
        device = images[0].device
        if device != next(self.network.parameters()).device:
            self.network.to(device)
        for batch in _batches(images):
            with same_rounding(device):
                features, logits = self.network(batch)
            self._keep(self.waiting, features)
            self._keep(self.features, features)
            self._keep(self.logits, logits)
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


def _gathered(values: list[Tensor] | None, size: int) -> Tensor | None:
    """Values of all processes in image order; None on ranks other than 0."""
    if values is None:
        return None
    rows = collect_results([v.numpy() for v in values], size, 'cpu')
    return torch.from_numpy(np.stack(rows)) if rows else None
