"""The condition: the denoiser's input besides noisy latent and time."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

SLOTS = ('vector', 'tokens', 'spatial')


@dataclass(frozen=True)
class Condition:
    """A batch of conditions in three named slots; an empty slot is ``None``.

    Args:
        vector: (B, C), added to the time embedding.
        tokens: (B, L, C), keys and values of cross-attention.
        tokens_mask: (B, L) bool, True for valid tokens; None if all are.
        spatial: (B, C, h, w), concatenated to the noisy latent.
    """

    vector: Tensor | None = None
    tokens: Tensor | None = None
    tokens_mask: Tensor | None = None
    spatial: Tensor | None = None

    def __post_init__(self) -> None:
        mask = self.tokens_mask
        if isinstance(mask, Tensor) and mask.dtype != torch.bool:
            raise ValueError(
                f'tokens_mask is {mask.dtype}, expected torch.bool: give '
                'mask.bool()'
            )

    @property
    def filled(self) -> tuple[str, ...]:
        """Names of the slots that are not empty."""
        return tuple(slot for slot in SLOTS if getattr(self, slot) is not None)

    def with_slots_of(
        self, other: 'Condition', slots: Collection[str]
    ) -> 'Condition':
        """A copy with some slots taken from another condition.

        Args:
            other: A condition of the same samples.
            slots: Names of the slots; 'tokens' includes the mask.
        """
        names = {*slots, 'tokens_mask'} if 'tokens' in slots else slots
        return replace(self, **{name: getattr(other, name) for name in names})

    @staticmethod
    def cat(*conditions: 'Condition') -> 'Condition':
        """Concatenate several batches.

        Raises:
            ValueError: If a slot is filled in some conditions only.
        """
        slots = {}
        for field in fields(Condition):
            values = [getattr(c, field.name) for c in conditions]
            empty = [value is None for value in values]
            if any(empty) and not all(empty):
                raise ValueError(
                    f'slot {field.name!r} is filled in some of the '
                    'conditions only; give all the same slots'
                )
            slots[field.name] = None if all(empty) else torch.cat(values)
        return Condition(**slots)


# Makes the class a tree of tensors for torch.export.
torch.export.register_dataclass(Condition)
