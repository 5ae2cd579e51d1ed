"""Features of another encoder as tokens."""

import torch
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.devices import to_device
from mmldm.utils.typing import SampleList

from .embedder import Embedder, Encode


@MODELS.register_module()
class PrecomputedFeatures(Embedder):
    """The field ``features`` of data samples, unchanged; null is zeros.

    An example are the CLIP embeddings of neighbours in retrieval-augmented
    models; Blattmann et al. 2022 (arXiv:2204.11824).

    Args:
        embed_dim: Channels of the features.
    """

    slot = 'tokens'
    reads = ('features',)

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        check_count('PrecomputedFeatures.embed_dim', embed_dim)
        self.dim = embed_dim

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """Features as tokens, (B, L, embed_dim).

        Args:
            data_samples: Each has ``features`` (L, embed_dim), dropped or not.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If features are missing or have another shape, or
                their numbers differ between samples.
        """
        rows = [self._features(sample) for sample in data_samples]
        lengths = sorted({len(row) for row in rows})
        if len(lengths) > 1:
            raise ValueError(
                f'samples of one batch have {lengths} features: give the '
                'same number to each'
            )
        keep = ~drop[:, None, None]
        return to_device(torch.stack(rows) * keep, self.device, self.dtype)

    def _features(self, sample: LDMDataSample) -> Tensor:
        features = torch.as_tensor(
            sample.require('features', 'PrecomputedFeatures')
        )
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(
                f'the features of {sample.name} have the shape '
                f'{tuple(features.shape)}, but must be (L, {self.dim})'
            )
        return features
