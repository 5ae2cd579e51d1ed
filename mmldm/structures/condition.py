"""What a denoiser is told besides the noisy latent and the time."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Condition:
    """A batch of conditions in three named slots; an empty slot is ``None``.

    Args:
        vector: (B, C), added to the time embedding.
        tokens: (B, L, C), attended to by cross-attention.
        tokens_mask: (B, L) bool, True where a token counts.
        spatial: (B, C, h, w), concatenated to the noisy latent.
    """

    vector: Tensor | None = None
    tokens: Tensor | None = None
    tokens_mask: Tensor | None = None
    spatial: Tensor | None = None

    @staticmethod
    def cat(first: 'Condition', second: 'Condition') -> 'Condition':
        """Two batches as one.

        Raises:
            ValueError: If a slot is filled in one of the two only.
        """
        slots = {}
        for field in fields(Condition):
            a = getattr(first, field.name)
            b = getattr(second, field.name)
            if (a is None) != (b is None):
                raise ValueError(
                    f'slot {field.name!r} is filled in one of the two '
                    'conditions only; give both the same slots'
                )
            slots[field.name] = None if a is None else torch.cat([a, b])
        return Condition(**slots)


# Known to torch.export as a tree of tensors.
torch.export.register_dataclass(Condition)
