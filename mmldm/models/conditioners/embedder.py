"""What a conditioner may ask of any embedder."""

from abc import abstractmethod
from collections.abc import Callable, Mapping

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmldm.structures import Condition
from mmldm.utils.typing import SampleList

# Images in [-1, 1], (B, 3, H, W) -> the mode of their scaled latents.
Encode = Callable[[Tensor], Tensor]


class Embedder(BaseModule):
    """What data samples say, in one slot or several of a ``Condition``.

    An embedder of one slot sets ``slot`` and ``dim`` and returns that slot's
    content. One of several slots sets :attr:`dims` and returns a
    ``Condition``.

    Attributes:
        slot: 'vector', 'tokens' or 'spatial'.
        dim: Channels in that slot.
        tokens_join: How its tokens join those of the embedders before it:
            'sequence' appends them, 'channels' puts them side by side, as
            SDXL does with its two text encoders (Podell et al. 2023, section
            2.1).
        reads: Fields of data samples that it is made of.
        has_null: Whether there is a condition that says nothing.
    """

    slot: str
    dim: int
    tokens_join: str = 'sequence'
    reads: tuple[str, ...] = ()
    has_null: bool = True
    _dims: Mapping[str, int] | None = None

    def __init__(self) -> None:
        super().__init__()
        # Moved and cast with the model, also where there are no weights.
        self.register_buffer('_like', torch.empty(0), persistent=False)

    @property
    def dims(self) -> Mapping[str, int]:
        """Channels of every slot that it fills, by the slot's name."""
        return self._dims or {self.slot: self.dim}

    @dims.setter
    def dims(self, dims: Mapping[str, int]) -> None:
        self._dims = dims

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
    ) -> Tensor | Condition:
        """One slot's content, (B, C), (B, L, C) or (B, C, h, w), or several.

        Args:
            data_samples: What is read.
            drop: (B,) bool on the CPU, True where nothing shall be said.
            encode: Of the model's first stage.

        Raises:
            ValueError: If a sample lacks what is read, or it is wrong.
        """

    def losses(
        self, cond: Condition, data_samples: SampleList, drop: Tensor
    ) -> Mapping[str, Tensor]:
        """Terms of the training loss, each of shape (), by name; here none.

        The model adds them to its own, and logs a term as ``loss_<name>``.

        Args:
            cond: What :meth:`forward` made of the batch, with its graph.
            data_samples: What it read.
            drop: As of :meth:`forward`.
        """
        return {}
