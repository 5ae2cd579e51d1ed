"""A class label as a condition."""

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import check_choice, check_count
from mmldm.utils.devices import to_device
from mmldm.utils.typing import SampleList

from .dropping import unless_dropped
from .embedder import Embedder, Encode


@MODELS.register_module()
class ClassEmbedder(Embedder):
    """A learned embedding for each class, and one for 'no class'.

    Args:
        num_classes: Labels are in [0, num_classes).
        embed_dim: Channels of the embedding.
        slot: 'tokens', one token for cross-attention as in the paper, or
            'vector', added to the time embedding as in Dhariwal & Nichol
            2021.
        null: The row that means 'no class': 'extra', one row more than there
            are classes; 'last', the row of the last class, as in the
            original's ImageNet model with 1001 classes; 'none', no row.
    """

    reads = ('gt_label',)

    def __init__(
        self,
        num_classes: int,
        embed_dim: int,
        slot: str = 'tokens',
        null: str = 'extra',
    ) -> None:
        super().__init__()
        check_count('ClassEmbedder.num_classes', num_classes)
        check_choice('ClassEmbedder.slot', slot, ('tokens', 'vector'))
        rows = dict(extra=num_classes, last=num_classes - 1, none=None)
        check_choice('ClassEmbedder.null', null, rows)
        self.num_classes = num_classes
        self.dim = embed_dim
        self.slot = slot
        self.null = rows[null]
        self.embedding = nn.Embedding(
            num_classes + (null == 'extra'), embed_dim
        )

    @property
    def has_null(self) -> bool:
        """Whether one row is 'no class'."""
        return self.null is not None

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """Tokens (B, 1, embed_dim) or vectors (B, embed_dim).

        Args:
            data_samples: Each has a ``gt_label`` where it is not dropped.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If a label is missing or out of range, or is dropped
                although no row means 'no class'.
        """
        if drop.any() and not self.has_null:
            raise ValueError(
                "ClassEmbedder(null='none') has no row for 'no class': every "
                'sample needs its class'
            )
        labels = unless_dropped(self._label, data_samples, drop, self.null)
        labels = to_device(torch.tensor(labels), self.embedding.weight.device)
        embedded = self.embedding(labels)
        return embedded[:, None] if self.slot == 'tokens' else embedded

    def _label(self, sample: LDMDataSample) -> int:
        label = sample.label
        if not 0 <= label < self.num_classes:
            raise ValueError(
                f'label {label} of {sample.name} is not in '
                f"[0, {self.num_classes}): set the ClassEmbedder's "
                'num_classes to the number of classes of the data'
            )
        return label
