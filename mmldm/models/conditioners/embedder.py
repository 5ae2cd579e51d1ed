"""What a conditioner may ask of any embedder."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmldm.utils.typing import SampleList

# Images in [-1, 1], (B, 3, H, W) -> the mode of their scaled latents.
Encode = Callable[[Tensor], Tensor]


class Embedder(BaseModule):
    """One thing that data samples say, for one slot of a ``Condition``.

    Attributes:
        slot: 'vector', 'tokens' or 'spatial'.
        dim: Channels in that slot.
        reads: Fields of data samples that it is made of.
        has_null: Whether there is a condition that says nothing.
    """

    slot: str
    dim: int
    reads: tuple[str, ...] = ()
    has_null: bool = True

    def __init__(self) -> None:
        super().__init__()
        # Moved and cast with the model, also where there are no weights.
        self.register_buffer('_like', torch.empty(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the slot's content lies."""
        return self._like.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the slot's content, where there are no weights."""
        return self._like.dtype

    @abstractmethod
    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """The slot's content: (B, C), (B, L, C) or (B, C, h, w).

        Args:
            data_samples: What is read.
            drop: (B,) bool on the CPU, True where nothing shall be said.
            encode: Of the model's first stage.

        Raises:
            ValueError: If a sample lacks what is read, or it is wrong.
        """
