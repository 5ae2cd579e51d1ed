"""From data samples to the denoiser's condition."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition
from mmldm.utils import Draws
from mmldm.utils.typing import ConfigType, SampleList

from .embedder import Encode


@MODELS.register_module()
class Conditioner(BaseModule):
    """Embedders, each of which fills one slot of a :class:`Condition`.

    Args:
        embedders: Configs of :class:`Embedder` s; empty for an unconditional
            model.
        drop_prob: Probability of dropping a sample's conditions in training,
            for classifier-free guidance, in [0, 1].

    Raises:
        ValueError: If two embedders fill one slot, or conditions are
            dropped that cannot be.
    """

    def __init__(
        self, embedders: Sequence[ConfigType] = (), drop_prob: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 <= drop_prob <= 1:
            raise ValueError(f'drop_prob={drop_prob} must be in [0, 1]')
        self.embedders = nn.ModuleList(map(MODELS.build, embedders))
        self.drop_prob = drop_prob
        if len(set(self.slots)) < len(self.slots):
            raise ValueError(
                f'embedders fill the slots {self.slots}; give each '
                'slot one embedder'
            )
        if drop_prob > 0 and self.without_null:
            raise ValueError(
                f'drop_prob={drop_prob}, but {self.without_null[0]} has no '
                'null condition: set drop_prob=0, or give it one, such as '
                "ClassEmbedder(null='extra')"
            )

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the slots that are filled."""
        return tuple(embedder.slot for embedder in self.embedders)

    def dim(self, slot: str) -> int | None:
        """Channels of a slot, None where it stays empty."""
        dims = [e.dim for e in self.embedders if e.slot == slot]
        return dims[0] if dims else None

    @property
    def reads(self) -> tuple[str, ...]:
        """Fields of data samples that conditions are made of."""
        return tuple(field for e in self.embedders for field in e.reads)

    @property
    def without_null(self) -> tuple[str, ...]:
        """Embedders that cannot say nothing, by the name of their class."""
        return tuple(
            type(e).__name__ for e in self.embedders if not e.has_null
        )

    def forward(
        self,
        data_samples: SampleList,
        draws: Draws | None = None,
        encode: Encode | None = None,
    ) -> Condition:
        """The condition of a batch.

        Args:
            data_samples: What the embedders read.
            draws: Decides in training which samples are dropped; None drops
                none.
            encode: Of the first stage; for embedders of images.
        """
        drop = torch.zeros(len(data_samples), dtype=torch.bool)
        if draws is not None:
            drop = draws.uniform('drop') < self.drop_prob
        return self._embed(data_samples, drop, encode)

    def null(
        self, data_samples: SampleList, encode: Encode | None = None
    ) -> Condition:
        """What guidance leads away from, of the same shapes.

        A sample's ``negative`` where it has one, else the condition that
        says nothing.

        Args:
            data_samples: What the embedders read.
            encode: See :meth:`forward`.
        """
        negatives = [sample.negative for sample in data_samples]
        return self._embed(
            [
                sample if negative is None else negative
                for sample, negative in zip(
                    data_samples, negatives, strict=True
                )
            ],
            torch.tensor([negative is None for negative in negatives]),
            encode,
        )

    def _embed(
        self, data_samples: SampleList, drop: Tensor, encode: Encode | None
    ) -> Condition:
        return Condition(
            **{
                embedder.slot: embedder(data_samples, drop, encode)
                for embedder in self.embedders
            }
        )
