"""From data samples to the denoiser's condition."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition, LDMDataSample
from mmldm.utils import Draws
from mmldm.utils.typing import ConfigType, SampleList

from .embedder import Embedder, Encode
from .maps import size

# What an embedder is told: samples, and of which it shall say nothing.
Told = tuple[SampleList, Tensor]


@MODELS.register_module()
class Conditioner(BaseModule):
    """Embedders, which fill the slots of a :class:`Condition`.

    What several say for one slot is joined in their order in the list:
    tokens along the sequence, vectors and what is spatial along the channels.

    Args:
        embedders: Configs of :class:`Embedder` s; empty for an unconditional
            model.
        drop_prob: Probability of dropping a sample's conditions in training,
            for classifier-free guidance, in [0, 1].

    Raises:
        ValueError: If tokens cannot be joined, or conditions are dropped
            that cannot be.
    """

    def __init__(
        self, embedders: Sequence[ConfigType] = (), drop_prob: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 <= drop_prob <= 1:
            raise ValueError(f'drop_prob={drop_prob} must be in [0, 1]')
        self.embedders = nn.ModuleList(map(MODELS.build, embedders))
        self.drop_prob = drop_prob
        self._check_tokens()
        if drop_prob > 0 and self.without_null:
            raise ValueError(
                f'drop_prob={drop_prob}, but {self.without_null[0]} has no '
                'null condition: set drop_prob=0, or give it one, such as '
                "ClassEmbedder(null='extra')"
            )

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the slots that are filled."""
        return tuple(dict.fromkeys(e.slot for e in self.embedders))

    def dim(self, slot: str) -> int | None:
        """Channels of a slot, None where it stays empty."""
        dims = [e.dim for e in self._filling(slot)]
        if not dims:
            return None
        return dims[0] if slot == 'tokens' else sum(dims)

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
        return self._embed(
            [(data_samples, drop)] * len(self.embedders), encode
        )

    def null(
        self, data_samples: SampleList, encode: Encode | None = None
    ) -> Condition:
        """What guidance leads away from, of the same shapes.

        A sample's ``negative`` where it has one, else the condition that
        says nothing; that too of what a negative leaves open.

        Args:
            data_samples: What the embedders read.
            encode: See :meth:`forward`.
        """
        return self._embed(
            [self._negatives(e, data_samples) for e in self.embedders], encode
        )

    def _negatives(self, embedder: Embedder, data_samples: SampleList) -> Told:
        """What an embedder is told in the place of data samples."""
        samples, nothing = [], []
        for sample in data_samples:
            negative = sample.negative
            tells = negative is not None and self._tells(negative, embedder)
            samples.append(negative if tells else sample)
            nothing.append(not tells)
        return samples, torch.tensor(nothing)

    def _tells(self, negative: LDMDataSample, embedder: Embedder) -> bool:
        """Whether an embedder reads a negative.

        One that tells no embedder anything is a mistake, of which those that
        read it complain.
        """
        own = any(field in negative for field in embedder.reads)
        return own or not any(field in negative for field in self.reads)

    def _embed(self, told: Iterable[Told], encode: Encode | None) -> Condition:
        contents = defaultdict(list)
        for embedder, (samples, drop) in zip(
            self.embedders, told, strict=True
        ):
            contents[embedder.slot].append(embedder(samples, drop, encode))
        self._check_sizes(contents['spatial'])
        return Condition(
            **{slot: _joined(contents[slot]) for slot in self.slots}
        )

    def _filling(self, slot: str) -> list[Embedder]:
        return [e for e in self.embedders if e.slot == slot]

    def _check_tokens(self) -> None:
        """Raise unless tokens make one sequence."""
        embedders = self._filling('tokens')
        if len({e.dim for e in embedders}) > 1:
            dims = [f'{type(e).__name__} {e.dim}' for e in embedders]
            raise ValueError(
                'tokens of several embedders are one sequence, but have the '
                f'dimensions {", ".join(dims)}: give them one dimension'
            )

    def _check_sizes(self, contents: Sequence[Tensor]) -> None:
        """Raise unless what is spatial can be joined."""
        if len({x.shape[2:] for x in contents}) > 1:
            sizes = [
                f'{type(e).__name__} {size(x)}'
                for e, x in zip(
                    self._filling('spatial'), contents, strict=True
                )
            ]
            raise ValueError(
                'spatial conditions lie beside one latent, but are of the '
                f'sizes {", ".join(sizes)}: give them that of the latent'
            )


def _joined(contents: Sequence[Tensor]) -> Tensor:
    """(B, C), (B, L, C) or (B, C, h, w): what is joined is the second."""
    return contents[0] if len(contents) == 1 else torch.cat([*contents], dim=1)
