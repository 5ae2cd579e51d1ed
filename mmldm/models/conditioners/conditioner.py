"""From data samples to the denoiser's condition."""

from collections.abc import Collection, Mapping, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition, LDMDataSample
from mmldm.utils import SampleRandom, check_range
from mmldm.utils.typing import ConfigType, SampleList

from .embedder import Embedder, Encode
from .joining import as_condition, join, token_dim

# Fields of data samples that name classes.
WITH_CLASSES = ('gt_label', 'layout', 'gt_sem_seg')
# What an embedder is told: samples, and of which it shall say nothing.
Told = tuple[SampleList, Tensor]
# What has a term of the training loss, by its key, and its terms by name.
Terms = tuple[str, Mapping[str, Tensor]]


@MODELS.register_module()
class Conditioner(BaseModule):
    """Embedders, which fill the slots of a :class:`Condition`.

    What several say for one slot is joined in their order in the list:
    vectors and what is spatial along the channels, tokens along the sequence,
    or as an embedder's ``tokens_join`` says.

    Args:
        embedders: Configs of :class:`Embedder` s; empty for an unconditional
            model.
        drop_prob: Probability in [0, 1] of dropping a sample's conditions in
            training, for classifier-free guidance. A number drops all of
            them together. A sequence has one for each embedder, dropped
            independently of the others, for :class:`SlotGuidance`, which
            leaves out some and all: all are as often as the product says.
            Brooks et al. 2023, section 3.2.1 (arXiv:2211.09800), have 0.05
            for each of two alone, and 0.05 for both.

    Raises:
        ValueError: If tokens cannot be joined, there are not as many
            probabilities as embedders, or conditions are dropped that cannot
            be.
    """

    def __init__(
        self,
        embedders: Sequence[ConfigType] = (),
        drop_prob: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        self.embedders = nn.ModuleList(map(MODELS.build, embedders))
        self.drop_prob = drop_prob
        self.dim('tokens')  # tokens that cannot be joined are refused now
        self._check_drop_prob()

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the slots that are filled."""
        return tuple(dict.fromkeys(s for e in self.embedders for s in e.dims))

    def dim(self, slot: str) -> int | None:
        """Channels of a slot, None where it stays empty."""
        filling = [e for e in self.embedders if slot in e.dims]
        if slot == 'tokens':
            return token_dim(filling)
        return sum(e.dims[slot] for e in filling) or None

    @property
    def reads(self) -> tuple[str, ...]:
        """Fields of data samples that conditions are made of."""
        return tuple(field for e in self.embedders for field in e.reads)

    @property
    def class_counts(self) -> dict[str, tuple[str, int]]:
        """Fields that name classes: whose key limits them, and to how many.

        Of an embedder that has ``num_classes``, or of its tokenizer.
        """
        found = {}
        for i, embedder in enumerate(self.embedders):
            key, part = f'embedders.{i}', embedder
            if not hasattr(part, 'num_classes'):
                key = f'{key}.tokenizer'
                part = getattr(embedder, 'tokenizer', None)
            count = getattr(part, 'num_classes', None)
            for field in embedder.reads:
                if count is None or field not in WITH_CLASSES:
                    continue
                if field not in found or count < found[field][1]:
                    found[field] = f'{key}.num_classes', count
        return found

    def never_dropped(self, slots: Collection[str]) -> tuple[str, ...]:
        """Embedders of some slots that training does not drop, by class."""
        probs = self.drop_prob
        if not isinstance(probs, Sequence):
            probs = [probs] * len(self.embedders)
        return tuple(
            type(e).__name__
            for e, prob in zip(self.embedders, probs, strict=True)
            if not {*e.dims}.isdisjoint(slots) and prob == 0
        )

    @property
    def without_null(self) -> tuple[str, ...]:
        """Embedders that cannot say nothing, by the name of their class."""
        return tuple(
            type(e).__name__ for e in self.embedders if not e.has_null
        )

    def forward(
        self,
        data_samples: SampleList,
        random: SampleRandom | None = None,
        encode: Encode | None = None,
    ) -> Condition:
        """The condition of a batch.

        Args:
            data_samples: What the embedders read.
            random: Decides in training which samples are dropped; None drops
                none.
            encode: Of the first stage; for embedders of images.
        """
        told = self._told(data_samples, random)
        return join(self.embedders, self._embed(told, encode))

    def with_losses(
        self, data_samples: SampleList, random: SampleRandom, encode: Encode
    ) -> tuple[Condition, list[Terms]]:
        """The condition of a training batch, and the embedders' loss terms.

        Args:
            data_samples: What the embedders read.
            random: See :meth:`forward`.
            encode: See :meth:`forward`.
        """
        told = self._told(data_samples, random)
        conditions = self._embed(told, encode)
        terms = [
            (f'conditioner.embedders.{i}', embedder.losses(cond, *own))
            for i, (embedder, cond, own) in enumerate(
                zip(self.embedders, conditions, told, strict=True)
            )
        ]
        return join(self.embedders, conditions), terms

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
        told = [self._negatives(e, data_samples) for e in self.embedders]
        return join(self.embedders, self._embed(told, encode))

    def _told(
        self, data_samples: SampleList, random: SampleRandom | None
    ) -> list[Told]:
        """What each embedder is told of data samples."""
        drops = self._drops(len(data_samples), random)
        return [(data_samples, drop) for drop in drops]

    def _drops(self, count: int, random: SampleRandom | None) -> list[Tensor]:
        """Which samples are dropped, (count,), for each embedder."""
        probs, together = self.drop_prob, len(self.embedders)
        if random is None:
            return [torch.zeros(count, dtype=torch.bool)] * together
        if not isinstance(probs, Sequence):
            return [random.uniform('drop') < probs] * together
        return [random.uniform(f'drop_{i}') < p for i, p in enumerate(probs)]

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

    def _embed(
        self, told: Sequence[Told], encode: Encode | None
    ) -> list[Condition]:
        """What each embedder makes of what it is told."""
        return [
            as_condition(embedder, embedder(samples, drop, encode))
            for embedder, (samples, drop) in zip(
                self.embedders, told, strict=True
            )
        ]

    def _check_drop_prob(self) -> None:
        """Raise unless all can be dropped as often as asked."""
        given, count = self.drop_prob, len(self.embedders)
        if not isinstance(given, Sequence) or isinstance(given, str):
            check_range('drop_prob', given, 0, 1)
            named = [('drop_prob', given)] * count
        elif len(given) != count:
            raise ValueError(
                f'drop_prob={[*given]} are {len(given)}, but there are '
                f'{count} embedders: give each its own, or one number for all'
            )
        else:
            named = [(f'drop_prob[{i}]', prob) for i, prob in enumerate(given)]
        for (name, prob), embedder in zip(named, self.embedders, strict=True):
            check_range(name, prob, 0, 1)
            if prob > 0 and not embedder.has_null:
                raise ValueError(
                    f'{name}={prob}, but {type(embedder).__name__} has no '
                    f'null condition: set {name}=0, or give it one, such as '
                    "ClassEmbedder(null='extra')"
                )
