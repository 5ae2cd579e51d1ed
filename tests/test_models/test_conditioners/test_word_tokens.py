import pytest
import torch

from mmldm.models.conditioners import WordTokens
from mmldm.structures import LDMDataSample

VOCAB = ('a', 'and', 'red', 'circle')


def ids(*captions, drop=False, max_length=6):
    samples = [
        LDMDataSample(metainfo=dict(img_path='a.png'), caption=caption)
        for caption in captions
    ]
    tokens = WordTokens(VOCAB, max_length)
    return tokens(samples, torch.full((len(samples),), drop)).tolist()


def test_words_get_their_number_and_zeros_fill_up():
    assert ids('a red circle', 'red, red and a circle') == [
        [1, 3, 4, 0, 0, 0],
        [3, 3, 2, 1, 4, 0],
    ]


def test_case_and_punctuation_say_nothing():
    assert ids('A RED, circle!') == ids('a red circle')


@pytest.mark.parametrize(
    'caption, same',
    [
        ('a red circle', 'red circle'),
        ('An red and the CIRCLE', 'red and circle'),
        ('the the circle', 'circle'),
        ('red a', 'red a'),
        ('a', 'a'),
    ],
)
def test_ignored_words_count_only_at_the_end(caption, same):
    tokens = WordTokens(VOCAB, 6, ignored=('a', 'an', 'the'))
    samples = [LDMDataSample(caption=caption)]
    assert tokens(samples, torch.tensor([False])).tolist() == ids(same)


def test_ignored_words_do_not_make_a_caption_long():
    tokens = WordTokens(VOCAB, 2, ignored=('a',))
    samples = [LDMDataSample(caption='a red a circle')]
    assert tokens(samples, torch.tensor([False])).tolist() == [[3, 4]]


def test_a_dropped_caption_is_all_zeros():
    assert ids('a red circle', drop=True) == ids('') == [[0] * 6]
    nothing = LDMDataSample()
    tokens = WordTokens(VOCAB, 2)([nothing], torch.tensor([True]))
    assert tokens.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    'caption, message',
    [
        (
            'a rad circle',
            "caption 'a rad circle' of a.png has the word 'rad', which is not "
            "in WordTokens.vocab; did you mean 'red'.*: use other words, or",
        ),
        (
            'a a a a a a a',
            "'a a .*' of a.png has 7 words that count, but .*max_length=6",
        ),
        (['red'], r"caption of a.png is \['red'\], not a text"),
    ],
)
def test_what_cannot_be_said_is_refused(caption, message):
    with pytest.raises(ValueError, match=message):
        ids(caption)


def test_a_sample_without_caption_is_refused():
    with pytest.raises(ValueError, match='no caption, which WordTokens needs'):
        WordTokens(VOCAB, 2)([LDMDataSample()], torch.tensor([False]))


@pytest.mark.parametrize(
    'vocab, message',
    [
        (['Red'], "vocab has 'Red', but must hold single words in lower"),
        (['light red'], "vocab has 'light red'"),
        (['red', 'red'], 'vocab has a word twice'),
    ],
)
def test_what_is_no_vocabulary_is_refused(vocab, message):
    with pytest.raises(ValueError, match=message):
        WordTokens(vocab, 2)
    with pytest.raises(ValueError, match=message.replace('vocab', 'ignored')):
        WordTokens(VOCAB, 2, ignored=vocab)
