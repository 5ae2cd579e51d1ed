"""Tokenizers: from data samples to the ids of tokens."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.boxes import WHOLE
from mmldm.utils.typing import SampleList

from .dropping import unless_dropped
from .layouts import Box, corners, read_crop_box, read_layout, shown_layout


class Tokenizer(ABC):
    """The base class of tokenizers, for :class:`TokenTransformer`.

    Attributes:
        reads: Fields of data samples that tokens are made from.
        vocab_size: Number of tokens; None if only files tell it.
        max_length: Most tokens of a sample; None if only data tell it.
    """

    reads: tuple[str, ...]
    vocab_size: int | None = None
    max_length: int | None = None

    @abstractmethod
    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        """Ids of a batch, (B, L), int64 on the CPU.

        Args:
            data_samples: Samples with the fields in ``reads``.
            drop: (B,) bool, True for dropped samples.

        Raises:
            ValueError: If a field is missing or invalid.
        """

    def check(self, sample: LDMDataSample) -> None:
        """Raise what tokens of a sample would raise, and make none.

        The base class checks nothing.

        Raises:
            ValueError: If a field is missing or invalid.
        """
        return


@MODELS.register_module()
class PrecomputedTokens(Tokenizer):
    """The ids in the field ``tokens``; null is zeros."""

    reads = ('tokens',)

    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        ids = [self._ids(sample) for sample in data_samples]
        if len({row.shape for row in ids}) > 1:
            raise ValueError(
                'samples of one batch have tokens of the lengths '
                f'{sorted({len(row) for row in ids})}: pad them to one length'
            )
        return torch.stack(ids) * ~drop[:, None]

    def _ids(self, sample: LDMDataSample) -> Tensor:
        ids = torch.as_tensor(sample.require('tokens', type(self).__name__))
        whole = not (ids.is_floating_point() or ids.dtype == torch.bool)
        if ids.ndim != 1 or not whole:
            raise ValueError(
                f'the tokens of {sample.name} are {ids.dtype} of shape '
                f'{tuple(ids.shape)}, but must be integers of shape (L,)'
            )
        return ids.long()


@MODELS.register_module()
class LayoutTokens(Tokenizer):
    """Objects as three tokens each, for class and box; null is no object.

    The tokens of an object are its class, its top left and its bottom right
    corner. A corner is the number of a point in a grid with
    floor(sqrt(vocab_size)) points per side. A missing object is three times
    the last token. The layout-to-image models of Rombach et al. 2022, app.
    D.3.1, use these tokens, which come from taming-transformers (Esser et al.
    2021, arXiv:2012.09841).

    Args:
        num_classes: Classes are in [0, num_classes); None for as many as
            there are tokens.
        max_objects: Most objects of an image; fewer are padded to it.
        vocab_size: Number of tokens.
        crop: Boxes are relative to the full picture, and two corner tokens of
            ``crop_box`` end the sequence. Otherwise boxes are relative to the
            image and clipped to it.
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
                f'LayoutTokens.num_classes={num_classes} does not fit into '
                f'vocab_size={vocab_size}, whose last token means no object: '
                f'set num_classes to at most {vocab_size - 1}'
            )
        self.vocab_size = vocab_size
        # A crop adds its two corners.
        self.max_length = 3 * max_objects + 2 * crop
        self.max_objects = max_objects
        self.side = math.isqrt(vocab_size)
        self.crop = crop

    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        null = self._ids([], WHOLE)
        return torch.tensor(
            unless_dropped(self._row, data_samples, drop, null)
        )

    def _row(self, sample: LDMDataSample) -> list[int]:
        objects = read_layout(
            sample, self.num_classes, 'LayoutTokens', self.max_objects
        )
        if not self.crop:
            objects = shown_layout(sample, objects)
        return self._ids(objects, read_crop_box(sample))

    def _ids(self, objects: list[tuple[int, Box]], crop_box: Box) -> list[int]:
        ids = [
            token
            for label, box in objects
            for token in (label, *self._corners(box))
        ]
        ids += [self.none] * (3 * self.max_objects - len(ids))
        if self.crop:
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

    Without this check, a GPU reports the mistake without these values.

    Args:
        ids: Token ids, on the CPU.
        vocab_size: Number of embeddings.
        source: Where the ids come from, for the message.
        key: Config key of the number of embeddings, for the message.

    Raises:
        ValueError: If an id is not in [0, vocab_size).
    """
    unknown = ids[(ids < 0) | (ids >= vocab_size)]
    if len(unknown):
        raise ValueError(
            f'{source} yields the token {unknown[0]}, but {key}={vocab_size}: '
            'use the tokenizer that the model was trained with'
        )
