"""From data samples to the ids of tokens."""

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.typing import SampleList

from .hub import from_hub
from .layouts import Box, check_box, corners, read_layout


class Tokenizer(ABC):
    """What a :class:`TokenTransformer` reads.

    Attributes:
        reads: Fields of data samples that tokens are made of.
    """

    reads: tuple[str, ...]

    @abstractmethod
    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        """Ids (B, L), int64 on the CPU.

        Args:
            data_samples: What is read.
            drop: (B,) bool, True where nothing shall be said.

        Raises:
            ValueError: If a sample lacks what is read, or it is wrong.
        """


class PretrainedTokens(Tokenizer):
    """``caption`` by a tokenizer of transformers; null is the empty text.

    Args:
        pretrained: Folder, or name on huggingface.co; looked for at the
            first caption.
        max_length: Tokens a caption: longer ones are cut, shorter ones
            padded as the tokenizer does.
    """

    reads = ('caption',)
    #: Class of transformers.
    kind: str

    def __init__(self, pretrained: str, max_length: int) -> None:
        check_count(f'{type(self).__name__}.max_length', max_length)
        self.pretrained = pretrained
        self.max_length = max_length

    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        captions = [
            '' if dropped else self._caption(sample)
            for sample, dropped in zip(
                data_samples, drop.tolist(), strict=True
            )
        ]
        return self.tokenizer(
            captions,
            padding='max_length',
            truncation=True,
            max_length=self.max_length,
            return_tensors='pt',
        ).input_ids

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers.

        Raises:
            ValueError: If it is not to be had.
        """
        try:
            return from_hub(self._load, self.pretrained)
        except Exception as error:
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise ValueError(
                f'{type(self).__name__}.pretrained={self.pretrained!r} is '
                'neither a folder with a tokenizer nor the name of one that '
                f'could be downloaded ({reason}): give the folder'
            ) from error

    def _load(self, source: str, **options: Any) -> Any:
        """A tokenizer with words.

        transformers 5 makes one without where it finds no files: to that,
        all captions are the same.
        """
        import transformers  # takes seconds

        kind = getattr(transformers, self.kind)
        tokenizer = kind.from_pretrained(source, **options)
        if tokenizer.get_vocab().keys() <= {*tokenizer.all_special_tokens}:
            raise ValueError('a tokenizer without words')
        return tokenizer

    def _caption(self, sample: LDMDataSample) -> str:
        caption = sample.require('caption', type(self).__name__)
        if not isinstance(caption, str):
            raise ValueError(
                f'the caption of {sample.name} is {caption!r}, not a text'
            )
        return caption


@MODELS.register_module()
class BertTokens(PretrainedTokens):
    """Word pieces; Devlin et al. 2019 (arXiv:1810.04805).

    Args:
        pretrained: Folder with a ``vocab.txt``, or name; see
            :class:`PretrainedTokens`.
        max_length: 77 in all models of the paper.
    """

    kind = 'BertTokenizerFast'

    def __init__(
        self, pretrained: str = 'bert-base-uncased', max_length: int = 77
    ) -> None:
        super().__init__(pretrained, max_length)


@MODELS.register_module()
class GivenTokens(Tokenizer):
    """The ids in ``tokens``; null is zeros."""

    reads = ('tokens',)

    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        ids = [self._ids(sample) for sample in data_samples]
        if len({row.shape for row in ids}) > 1:
            raise ValueError(
                'samples of one batch have tokens of the lengths '
                f'{sorted({len(row) for row in ids})}: pad them to one'
            )
        return torch.stack(ids) * ~drop[:, None]

    def _ids(self, sample: LDMDataSample) -> Tensor:
        ids = torch.as_tensor(sample.require('tokens', type(self).__name__))
        whole = not (ids.is_floating_point() or ids.dtype == torch.bool)
        if ids.ndim != 1 or not whole:
            raise ValueError(
                f'the tokens of {sample.name} are {ids.dtype} of shape '
                f'{tuple(ids.shape)}, but must be whole numbers (L,)'
            )
        return ids.long()


@MODELS.register_module()
class LayoutTokens(Tokenizer):
    """Boxes and their classes as three tokens each; null is no object.

    An object is its class, its top left and its bottom right corner; a point
    is its place in a grid of floor(sqrt(vocab_size)) points a side. Missing
    objects are three times the last token. As in the layout-to-image models
    of Rombach et al. 2022, app. D.3.1, which have it from taming-transformers
    (Esser et al. 2021, arXiv:2012.09841).

    Args:
        num_classes: Classes are in [0, num_classes); None for as many as
            there are tokens.
        max_objects: Objects an image at most, to which they are padded.
        vocab_size: Number of tokens.
        crop: End with the two corners of ``crop_box``.
    """

    reads = ('layout',)

    def __init__(
        self,
        num_classes: int | None = None,
        max_objects: int = 30,
        vocab_size: int = 8192,
        crop: bool = True,
    ) -> None:
        for key, value in (
            ('max_objects', max_objects),
            ('vocab_size', vocab_size),
        ):
            check_count(f'LayoutTokens.{key}', value)
        self.none = vocab_size - 1
        self.num_classes = self.none if num_classes is None else num_classes
        if self.num_classes > self.none:
            raise ValueError(
                f'LayoutTokens.num_classes={num_classes} do not fit into '
                f'vocab_size={vocab_size}, the last of which means no object'
            )
        self.max_objects = max_objects
        self.side = math.isqrt(vocab_size)
        self.crop = crop

    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        rows = [
            self._row(sample, dropped)
            for sample, dropped in zip(
                data_samples, drop.tolist(), strict=True
            )
        ]
        return torch.tensor(rows)

    def _row(self, sample: LDMDataSample, dropped: bool) -> list[int]:
        objects, crop_box = [], (0, 0, 1, 1)
        if not dropped:
            objects = read_layout(
                sample, self.num_classes, self.max_objects, 'LayoutTokens'
            )
            crop_box = sample.get('crop_box', crop_box)
        ids = [
            token
            for label, box in objects
            for token in (label, *self._corners(box))
        ]
        ids += [self.none] * (3 * self.max_objects - len(ids))
        if self.crop:
            check_box(crop_box, f'the crop_box of {sample.name}')
            ids += self._corners(crop_box)
        return ids

    def _corners(self, box: Box) -> tuple[int, int]:
        left, top, right, bottom = corners(box)
        return self._point(left, top), self._point(right, bottom)

    def _point(self, x: float, y: float) -> int:
        last = self.side - 1
        return round(y * last) * self.side + round(x * last)


def check_ids(ids: Tensor, vocab_size: int, source: str, key: str) -> None:
    """Raise unless there is an embedding for every id.

    A GPU says no more than that there is none.

    Args:
        ids: On the CPU.
        vocab_size: Embeddings that there are.
        source: Of the ids.
        key: What says how many there are.

    Raises:
        ValueError: If an id is not in [0, vocab_size).
    """
    unknown = ids[(ids < 0) | (ids >= vocab_size)]
    if len(unknown):
        raise ValueError(
            f'{source} yields the token {unknown[0]}, but {key}={vocab_size}: '
            'use the tokenizer that the model was trained with'
        )
