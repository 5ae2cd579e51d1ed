"""The base class of all embedders."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmldm.structures import Condition, LDMDataSample
from mmldm.utils.typing import SampleList

# Images in [-1, 1], (B, 3, H, W) -> the mode of their scaled latents.
Encode = Callable[[Tensor], Tensor]


class Embedder(BaseModule):
    """Makes the content of one or more slots of a ``Condition``.

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
        reads: Fields of data samples that the content is made from.
        has_null: Whether there is a null condition, for dropped samples.
        null_content: The null condition by ``PLACE.SLOT`` without batch axis,
            if a cache has the contents of samples; else None.
    """

    slot: str
    dim: int
    tokens_join: str = 'sequence'
    reads: tuple[str, ...] = ()
    has_null: bool = True
    null_content: Mapping[str, Tensor] | None = None
    _dims: Mapping[str, int] | None = None

    def __init__(self) -> None:
        super().__init__()
        # Shows device and dtype even if the embedder has no weights.
        self.register_buffer('_like', torch.empty(0), persistent=False)

    @property
    def dims(self) -> Mapping[str, int]:
        """Channels of every slot that the embedder fills, by slot name."""
        return self._dims or {self.slot: self.dim}

    @dims.setter
    def dims(self, dims: Mapping[str, int]) -> None:
        self._dims = dims

    @property
    def device(self) -> torch.device:
        """Device of the slot's content."""
        return self._like.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the slot's content if the embedder has no weights."""
        return self._like.dtype

    @property
    def frozen(self) -> bool:
        """Whether training never changes what it makes of a sample.

        Caches keep the contents of such an embedder. It has an
        :meth:`identity`, and needs no ``encode``.
        """
        return False

    def identity(self) -> dict[str, Any]:
        """Plain values that determine what a frozen embedder makes."""
        raise NotImplementedError

    @abstractmethod
    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor | Condition:
        """One slot's content, (B, C), (B, L, C) or (B, C, h, w), or several.

        Args:
            data_samples: Samples with the fields in ``reads``.
            drop: (B,) bool on the CPU, True for dropped samples.
            encode: Encoder of the model's first stage.

        Raises:
            ValueError: If a field is missing or invalid.
        """

    def check(self, sample: LDMDataSample) -> None:
        """Raise what :meth:`forward` would raise of a sample, at no cost.

        Requests for many images are checked by it before the first image is
        made. The base class checks nothing.

        Args:
            sample: A sample with the fields in ``reads``.

        Raises:
            ValueError: If a field is missing or invalid.
        """

    def restore(self, images: Tensor, data_samples: SampleList) -> Tensor:
        """Adapt generated images to known content of their samples.

        An embedder of known pixels copies them, for example. The base class
        changes nothing. The model calls this for final images, but not for
        unconditional ones.

        Args:
            images: Generated images, uint8 RGB, (B, 3, H, W).
            data_samples: Samples with the fields in ``reads``.

        Returns:
            uint8 RGB, (B, 3, H, W).
        """
        return images

    def losses(
        self, cond: Condition, data_samples: SampleList, drop: Tensor
    ) -> Mapping[str, Tensor]:
        """Terms of the training loss, each of shape (), by name; none here.

        The model adds them to its own and logs each as ``loss_<name>``.

        Args:
            cond: Result of :meth:`forward` for the batch, with its graph.
            data_samples: Data samples of the batch.
            drop: Dropped samples, see :meth:`forward`.
        """
        return {}
