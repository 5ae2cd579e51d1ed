"""Captions of few words, without a vocabulary file."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.checks import suggest
from mmldm.utils.typing import SampleList

from .dropping import unless_dropped
from .tokenizers import Tokenizer

WORD = re.compile(r'\w+')


@MODELS.register_module()
class WordTokens(Tokenizer):
    """The lower-case words of ``caption`` as their numbers in a list.

    Numbers start at 1; 0 pads up to ``max_length``, and null is all zeros.
    Punctuation is left out.

    Args:
        vocab: All words that captions may contain.
        max_length: Most words of a caption, without ignored ones.
        ignored: Words that make no difference before other words, such as
            articles. The last word of a caption always counts, as in 'latin
            capital letter a'.

    Raises:
        ValueError: If a word of ``vocab`` or ``ignored`` is no single word,
            is not in lower case, or occurs twice.
    """

    reads = ('caption',)

    def __init__(
        self,
        vocab: Sequence[str],
        max_length: int,
        ignored: Sequence[str] = (),
    ) -> None:
        check_count('WordTokens.max_length', max_length)
        for key, words in dict(vocab=vocab, ignored=ignored).items():
            _check_words(f'WordTokens.{key}', words)
        self.ids = {word: i for i, word in enumerate(vocab, 1)}
        self.vocab_size = len(vocab) + 1  # 0 is no word
        self.max_length = max_length
        self.ignored = {*ignored}

    def __call__(self, data_samples: SampleList, drop: Tensor) -> Tensor:
        rows = unless_dropped(self._row, data_samples, drop, [])
        return torch.tensor(
            [row + [0] * (self.max_length - len(row)) for row in rows]
        )

    def check(self, sample: LDMDataSample) -> None:
        """Raise if a sample has no caption, or one of unknown words."""
        self._row(sample)

    def _row(self, sample: LDMDataSample) -> list[int]:
        caption = sample.require('caption', 'WordTokens')
        if not isinstance(caption, str):
            raise ValueError(
                f'the caption of {sample.name} is {caption!r}, not a text'
            )
        words = WORD.findall(caption.lower())
        first = [word for word in words[:-1] if word not in self.ignored]
        words = first + words[-1:]
        if len(words) > self.max_length:
            raise ValueError(
                f'the caption {caption!r} of {sample.name} has {len(words)} '
                'words that count, but WordTokens.max_length='
                f'{self.max_length}: shorten it'
            )
        for word in words:
            if word not in self.ids:
                raise ValueError(
                    f'the caption {caption!r} of {sample.name} has the word '
                    f'{word!r}, which is not in WordTokens.vocab'
                    f'{suggest(word, self.ids)}: use other words, or train '
                    'with a vocab that contains it'
                )
        return [self.ids[word] for word in words]


def _check_words(key: str, words: Sequence[str]) -> None:
    """Raise unless all are single words in lower case, each once."""
    for word in words:
        if word != word.lower() or not WORD.fullmatch(word):
            raise ValueError(
                f'{key} has {word!r}, but must hold single words in lower case'
            )
    if len({*words}) < len(words):
        raise ValueError(f'{key} has a word twice: remove one')
