"""What a denoiser is told besides the noisy latent and the time."""

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
        tokens: (B, L, C), attended to by cross-attention.
        tokens_mask: (B, L) bool, True where a token counts.
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
                f'tokens_mask is {mask.dtype}, which attention would add or '
                'refuse: give mask.bool()'
            )

    @property
    def filled(self) -> tuple[str, ...]:
        """Names of the slots that say something."""
        return tuple(slot for slot in SLOTS if getattr(self, slot) is not None)

    def with_slots_of(
        self, other: 'Condition', slots: Collection[str]
    ) -> 'Condition':
        """This one, but for some slots, which are another's.

        Args:
            other: A condition of the same samples.
            slots: Names; the tokens bring their mask.
        """
        names = {*slots, 'tokens_mask'} if 'tokens' in slots else slots
        return replace(self, **{name: getattr(other, name) for name in names})

    @staticmethod
    def cat(*conditions: 'Condition') -> 'Condition':
        """Several batches as one.

        Raises:
            ValueError: If a slot is filled in some of them only.
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


# Known to torch.export as a tree of tensors.
torch.export.register_dataclass(Condition)
