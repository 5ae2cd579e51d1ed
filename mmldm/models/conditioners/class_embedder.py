"""A class label as a condition."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_choice
from mmldm.utils.typing import SampleList


@MODELS.register_module()
class ClassEmbedder(BaseModule):
    """A learned embedding a class, and one for 'no class'.

    Args:
        num_classes: Labels are in [0, num_classes).
        embed_dim: Channels of the embedding.
        slot: 'tokens', one token of cross-attention as in the paper, or
            'vector', added to the time embedding as in Dhariwal & Nichol
            2021.
    """

    def __init__(
        self, num_classes: int, embed_dim: int, slot: str = 'tokens'
    ) -> None:
        super().__init__()
        check_choice('ClassEmbedder.slot', slot, ('tokens', 'vector'))
        self.num_classes = num_classes
        self.dim = embed_dim
        self.slot = slot
        self.embedding = nn.Embedding(num_classes + 1, embed_dim)

    def forward(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        """(B, 1, embed_dim) tokens or (B, embed_dim) vectors.

        Args:
            data_samples: With a ``gt_label`` where not dropped.
            drop: (B,) bool, True where the class shall not be told.

        Raises:
            ValueError: If a label is missing or out of range.
        """
        labels = [
            self.num_classes if dropped else self._label(sample)
            for sample, dropped in zip(
                data_samples, drop.tolist(), strict=True
            )
        ]
        embedded = self.embedding(
            torch.tensor(labels, device=self.embedding.weight.device)
        )
        return embedded[:, None] if self.slot == 'tokens' else embedded

    def _label(self, sample) -> int:
        label = sample.label
        if not 0 <= label < self.num_classes:
            raise ValueError(
                f'label {label} of {sample.get("img_path", "a sample")} is '
                f'not in [0, {self.num_classes}): set '
                "the ClassEmbedder's num_classes to the number of classes of "
                'the data'
            )
        return label
