"""From data samples to the denoiser's condition."""

from collections.abc import Collection, Mapping, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition, LDMDataSample
from mmldm.utils import SampleRandom, check_range
from mmldm.utils.typing import ConfigType, SampleList

from .class_names import Names, read_class_names
from .embedder import Embedder, Encode
from .frozen_contents import precomputed
from .joining import as_condition, join, token_dim

# Fields of data samples that name classes.
WITH_CLASSES = ('gt_label', 'layout', 'gt_sem_seg')
# Input of an embedder: the data samples, and which of them are dropped.
EmbedderInput = tuple[SampleList, Tensor]
# Key of a part in the model, and its loss terms by name.
Terms = tuple[str, Mapping[str, Tensor]]


@MODELS.register_module()
class Conditioner(BaseModule):
    """Embedders that fill the slots of a :class:`Condition`.

    Several embedders may fill one slot. Their contents are joined in the order
    of the list: vectors and spatial conditions along the channels, tokens
    along the sequence, or as an embedder's ``tokens_join`` says.

    Args:
        embedders: Configs of :class:`Embedder` s; empty for an unconditional
            model.
        drop_prob: Probability in [0, 1] of dropping a sample's conditions in
            training, for classifier-free guidance. A number drops all
            conditions of a sample together. A sequence has one probability
            for each embedder, dropped independently, for
            :class:`SlotGuidance`; all are then dropped together with the
            product of the probabilities. Brooks et al. 2023, section 3.2.1
            (arXiv:2211.09800), drop each of two alone with 0.05 and both
            with 0.05.

    Raises:
        ValueError: If tokens cannot be joined, if ``drop_prob`` has
            another length than ``embedders``, or if an embedder without a
            null condition has a probability above 0.
    """

    def __init__(
        self,
        embedders: Sequence[ConfigType] = (),
        drop_prob: float | Sequence[float] = 0.0,
        class_names: Names | None = None,
    ) -> None:
        super().__init__()
        self.embedders = nn.ModuleList(map(MODELS.build, embedders))
        self.class_names = read_class_names(class_names, self.class_counts)
        self.drop_prob = drop_prob
        self.dim('tokens')  # raises if tokens cannot be joined
        self._check_drop_prob()

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the slots that are filled."""
        return tuple(dict.fromkeys(s for e in self.embedders for s in e.dims))

    def dim(self, slot: str) -> int | None:
        """Channels of a slot; None for an empty one."""
        filling = [e for e in self.embedders if slot in e.dims]
        if slot == 'tokens':
            return token_dim(filling)
        return sum(e.dims[slot] for e in filling) or None

    @property
    def reads(self) -> tuple[str, ...]:
        """Fields of data samples that conditions are made from."""
        return tuple(field for e in self.embedders for field in e.reads)

    @property
    def class_counts(self) -> dict[str, tuple[str, int]]:
        """The limit of each field with classes: config key and class count.

        It comes from the embedder that reads the field, or its tokenizer.
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
        """Classes of embedders that fill some slots and are never dropped."""
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
        """Classes of embedders that have no null condition."""
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
            data_samples: Samples with the fields that the embedders read.
            random: Decides in training which samples are dropped; None drops
                none.
            encode: Encoder of the first stage, for embedders of images.
        """
        inputs = self._embedder_inputs(data_samples, random)
        return join(self.embedders, self._embed(inputs, encode))

    def with_losses(
        self, data_samples: SampleList, random: SampleRandom, encode: Encode
    ) -> tuple[Condition, list[Terms]]:
        """The condition of a training batch, and the embedders' loss terms.

        Args:
            data_samples: Samples with the fields that the embedders read.
            random: See :meth:`forward`.
            encode: See :meth:`forward`.
        """
        inputs = self._embedder_inputs(data_samples, random)
        conditions = self._embed(inputs, encode)
        terms = [
            (f'conditioner.embedders.{i}', embedder.losses(cond, *own))
            for i, (embedder, cond, own) in enumerate(
                zip(self.embedders, conditions, inputs, strict=True)
            )
        ]
        return join(self.embedders, conditions), terms

    def null(
        self, data_samples: SampleList, encode: Encode | None = None
    ) -> Condition:
        """The condition that guidance leads away from, in the same shapes.

        It is made from a sample's ``negative``, if there is one. Everything
        that a negative does not fill is the null condition.

        Args:
            data_samples: Samples with the fields that the embedders read.
            encode: See :meth:`forward`.
        """
        inputs = [self._negatives(e, data_samples) for e in self.embedders]
        return join(self.embedders, self._embed(inputs, encode))

    def restore(self, images: Tensor, data_samples: SampleList) -> Tensor:
        """Generated images after :meth:`Embedder.restore` of all embedders.

        Args:
            images: Generated images, uint8 RGB, (B, 3, H, W).
            data_samples: Samples with the fields that the embedders read.
        """
        for embedder in self.embedders:
            images = embedder.restore(images, data_samples)
        return images

    def check(self, sample: LDMDataSample) -> None:
        """Raise if an embedder cannot read a sample, or its negative.

        Raises:
            ValueError: See :meth:`Embedder.check`.
        """
        for embedder in self.embedders:
            embedder.check(sample)
            negative = sample.negative
            if negative is not None and self._tells(negative, embedder):
                embedder.check(negative)

    def _embedder_inputs(
        self, data_samples: SampleList, random: SampleRandom | None
    ) -> list[EmbedderInput]:
        """The input of each embedder in a batch."""
        drops = self._drops(len(data_samples), random)
        return [(data_samples, drop) for drop in drops]

    def _drops(self, count: int, random: SampleRandom | None) -> list[Tensor]:
        """Which samples are dropped, (count,) bool, for each embedder."""
        probs, together = self.drop_prob, len(self.embedders)
        if random is None:
            return [torch.zeros(count, dtype=torch.bool)] * together
        if not isinstance(probs, Sequence):
            return [random.uniform('drop') < probs] * together
        return [random.uniform(f'drop_{i}') < p for i, p in enumerate(probs)]

    def _negatives(
        self, embedder: Embedder, data_samples: SampleList
    ) -> EmbedderInput:
        """An embedder's input with each sample replaced by its negative."""
        samples, nothing = [], []
        for sample in data_samples:
            negative = sample.negative
            tells = negative is not None and self._tells(negative, embedder)
            samples.append(negative if tells else sample)
            nothing.append(not tells)
        return samples, torch.tensor(nothing)

    def _tells(self, negative: LDMDataSample, embedder: Embedder) -> bool:
        """Whether a negative has a field that an embedder reads.

        A negative that fits no embedder is a mistake. It counts for all of
        them, so that they report what is missing.
        """
        own = any(field in negative for field in embedder.reads)
        return own or not any(field in negative for field in self.reads)

    def _embed(
        self, inputs: Sequence[EmbedderInput], encode: Encode | None
    ) -> list[Condition]:
        """The content that each embedder makes from its input."""
        return [
            precomputed(embedder, samples, drop)
            or as_condition(embedder, embedder(samples, drop, encode))
            for embedder, (samples, drop) in zip(
                self.embedders, inputs, strict=True
            )
        ]

    def _check_drop_prob(self) -> None:
        """Raise unless each embedder can be dropped as configured."""
        given, count = self.drop_prob, len(self.embedders)
        if not isinstance(given, Sequence) or isinstance(given, str):
            check_range('drop_prob', given, 0, 1)
            named = [('drop_prob', given)] * count
        elif len(given) != count:
            raise ValueError(
                f'drop_prob={[*given]} has {len(given)} values, but there are '
                f'{count} embedders: give one value each, or one for all'
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
