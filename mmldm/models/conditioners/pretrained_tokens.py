"""From captions to the ids of tokens, by tokenizers of transformers."""

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.hub import required
from mmldm.utils.typing import SampleList

from .dropping import unless_dropped
from .tokenizers import Tokenizer


class PretrainedTokens(Tokenizer):
    """Ids of a ``caption`` by a transformers tokenizer; null is ''.

    Args:
        pretrained: Folder, or name on huggingface.co. It is loaded at the
            first caption.
        max_length: Tokens per caption. Longer captions are cut, shorter ones
            padded as the tokenizer does.
    """

    reads = ('caption',)
    data_folders = ('pretrained',)
    #: Name of the tokenizer's class in transformers.
    kind: str

    def __init__(self, pretrained: str, max_length: int) -> None:
        check_count(f'{type(self).__name__}.max_length', max_length)
        self.pretrained = pretrained
        self.max_length = max_length
        self.cut_is_said = False

    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        return self.with_mask(data_samples, drop)[0]

    def with_mask(
        self, data_samples: SampleList, drop: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Ids, and a mask that is 0 for padding, both (B, L).

        The mask is None if the tokenizer makes none.
        """
        captions = unless_dropped(self._caption, data_samples, drop, '')
        found = self._tokens(captions)
        return found.input_ids, found.get('attention_mask')

    def ids(self, captions: Sequence[str]) -> Tensor:
        """Ids of texts, (B, L)."""
        return self._tokens(list(captions)).input_ids

    def length(self, caption: str) -> int:
        """Number of tokens of a whole caption, which may be cut."""
        return len(self.tokenizer(caption, verbose=False).input_ids)

    def _tokens(self, captions: list[str]) -> Any:
        found = self.tokenizer(
            captions,
            padding='max_length',
            truncation=True,
            max_length=self.max_length,
            return_tensors='pt',
        )
        if not self.cut_is_said:
            self._say_cuts(captions, found.get('attention_mask'))
        return found

    def _say_cuts(self, captions: list[str], mask: Tensor | None) -> None:
        """Warn once that captions are cut, with an example."""
        full = [True] * len(captions)
        if mask is not None:
            full = mask.bool().all(dim=1).tolist()
        lengths = [
            self.length(caption) if is_full else 0
            for caption, is_full in zip(captions, full, strict=True)
        ]
        cut = [
            caption
            for caption, length in zip(captions, lengths, strict=True)
            if length > self.max_length
        ]
        if cut:
            self.cut_is_said = True
            print_log(
                f'{len(cut)} of the {len(captions)} captions here are cut to '
                f'max_length={self.max_length} tokens, the longest has '
                f'{max(lengths)}; the first is {cut[0]!r:.80}. '
                'This warning is given once: shorten the captions, or set '
                'max_length to the most that the network reads',
                logger='current',
                level=logging.WARNING,
            )

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers.

        Raises:
            ValueError: If it is not available.
        """
        where = f'{type(self).__name__}.pretrained={self.pretrained!r}'
        return required(self._load, self.pretrained, where, 'a tokenizer')

    def _load(self, source: str, **options: Any) -> Any:
        """Load a tokenizer, and raise if it has no words.

        If it finds no files, transformers 5 makes a tokenizer without words,
        for which all captions are the same.
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
    """BERT's word pieces; Devlin et al. 2019 (arXiv:1810.04805).

    Args:
        pretrained: Folder with a ``vocab.txt``, or name; see
            :class:`PretrainedTokens`.
        max_length: Tokens per caption; 77 in all models of the paper.
    """

    kind = 'BertTokenizerFast'

    def __init__(
        self, pretrained: str = 'bert-base-uncased', max_length: int = 77
    ) -> None:
        super().__init__(pretrained, max_length)


class ClipTokens(PretrainedTokens):
    """CLIP's byte pairs; Radford et al. 2021 (arXiv:2103.00020), sec. 2.4.

    Args:
        pretrained: See :class:`PretrainedTokens`.
        max_length: See :class:`PretrainedTokens`.
        pad_id: Id of the token that fills short captions; None for the
            tokenizer's.
    """

    kind = 'CLIPTokenizer'

    def __init__(
        self, pretrained: str, max_length: int, pad_id: int | None = None
    ) -> None:
        super().__init__(pretrained, max_length)
        self.pad_id = pad_id

    def _load(self, source: str, **options: Any) -> Any:
        tokenizer = super()._load(source, **options)
        if self.pad_id is not None:
            token = tokenizer.convert_ids_to_tokens(self.pad_id)
            if token is None:
                raise ValueError(f'a tokenizer without pad_id={self.pad_id}')
            tokenizer.pad_token = token
        return tokenizer


class AutoTokens(PretrainedTokens):
    """Ids by any tokenizer of transformers that a folder contains."""

    kind = 'AutoTokenizer'

    def _load(self, source: str, **options: Any) -> Any:
        tokenizer = super()._load(source, trust_remote_code=False, **options)
        if tokenizer.pad_token is None:
            raise ValueError(
                'a tokenizer without padding; its tokenizer_config.json may '
                'name a pad_token'
            )
        return tokenizer
