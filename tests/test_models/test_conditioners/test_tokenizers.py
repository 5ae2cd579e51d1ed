import numpy as np
import pytest
import torch
from huggingface_hub import constants

from mmldm.datasets.transforms import PackInputs
from mmldm.datasets.transforms.spatial import crop, mirror
from mmldm.models.conditioners import (
    BertTokens,
    LayoutTokens,
    PrecomputedTokens,
)
from mmldm.structures import LDMDataSample

NONE = 8191
OBJECT = (7, (0.1, 0.2, 0.3, 0.4))


def sample(**fields):
    return LDMDataSample(metainfo=dict(img_path='a.png'), **fields)


def ids(tokenizer, *samples, drop=False):
    return tokenizer(samples, torch.full((len(samples),), drop)).tolist()


@pytest.fixture
def vocabulary(tmp_path):
    """A folder with word pieces by number: [PAD] 0 ... ##s 6."""
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'red', 'circle', '##s']
    (tmp_path / 'vocab.txt').write_text('\n'.join(words))
    return str(tmp_path)


def test_a_caption_is_cased_down_cut_into_pieces_and_padded(vocabulary):
    bert = BertTokens(vocabulary, max_length=7)
    assert ids(bert, sample(caption='Red circles'), sample(caption='red')) == [
        [2, 4, 5, 6, 3, 0, 0],
        [2, 4, 3, 0, 0, 0, 0],
    ]


def test_a_caption_that_is_too_long_is_cut(vocabulary):
    bert = BertTokens(vocabulary, max_length=4)
    assert ids(bert, sample(caption='red red red circle')) == [[2, 4, 4, 3]]


def test_a_dropped_caption_is_the_empty_one(vocabulary):
    bert = BertTokens(vocabulary, max_length=4)
    empty = [[2, 3, 0, 0]]
    assert ids(bert, sample(caption='')) == empty
    assert ids(bert, sample(caption='red'), drop=True) == empty
    assert ids(bert, sample(), drop=True) == empty


@pytest.mark.parametrize(
    'fields, message',
    [
        ({}, 'a.png has no caption, which BertTokens needs'),
        (dict(caption=['red']), r"caption of a.png is \['red'\], not a text"),
    ],
)
def test_what_is_no_caption_is_refused(vocabulary, fields, message):
    with pytest.raises(ValueError, match=message):
        ids(BertTokens(vocabulary, max_length=4), sample(**fields))


def test_a_vocabulary_that_is_missing_is_named_at_the_first_caption(tmp_path):
    folder = str(tmp_path / 'nothing')
    bert = BertTokens(folder)
    with pytest.raises(
        ValueError, match=r"BertTokens.pretrained='.*nothing' is neither a fol"
    ):
        ids(bert, sample(caption='red'))


def test_a_folder_without_words_is_refused(tmp_path):
    """transformers 5 takes it: to that tokenizer all captions are equal."""
    with pytest.raises(ValueError, match='neither a folder with a tokenizer'):
        ids(BertTokens(str(tmp_path)), sample(caption='red'))


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch):
    """transformers asks for each of its files again and again: minutes."""
    asked = []

    class Session:
        def head(self, url, timeout):
            asked.append(url)
            raise ConnectionError('no network')

    monkeypatch.setattr('huggingface_hub.utils.get_session', Session)
    with pytest.raises(
        ValueError, match=r'be downloaded \(no network\): give'
    ):
        ids(BertTokens('no-such-tokenizer'), sample(caption='red'))
    assert asked == [constants.ENDPOINT]


def test_given_tokens_are_taken_as_they_are():
    given = PrecomputedTokens()
    samples = [
        sample(tokens=[3, 1, 2]),
        sample(tokens=np.array([5, 6, 7], np.int32)),
    ]
    assert ids(given, *samples) == [[3, 1, 2], [5, 6, 7]]
    drop = torch.tensor([False, True])
    assert given(samples, drop).tolist() == [[3, 1, 2], [0, 0, 0]]


@pytest.mark.parametrize(
    'tokens, message',
    [
        ([[1, 2]], r'tokens of a.png are torch.int64 of shape \(1, 2\)'),
        ([1.0, 2.0], 'tokens of a.png are torch.float32'),
        ([True, False], 'tokens of a.png are torch.bool'),
    ],
)
def test_what_are_no_tokens_is_refused(tokens, message):
    with pytest.raises(ValueError, match=message):
        ids(PrecomputedTokens(), sample(tokens=tokens))


def test_tokens_of_several_lengths_are_refused():
    with pytest.raises(ValueError, match=r'of the lengths \[1, 2\]: pad'):
        ids(PrecomputedTokens(), sample(tokens=[1]), sample(tokens=[1, 2]))


def test_an_object_is_its_class_and_two_corners():
    """The original's numbers, of a grid of 90 points a side."""
    (row,) = ids(LayoutTokens(), sample(layout=[OBJECT]))
    assert row[:3] == [7, 1629, 4806]


def test_a_layout_is_padded_and_ends_with_the_crop():
    layout = [OBJECT, (3, (0, 0, 1, 1))]
    (row,) = ids(LayoutTokens(), sample(layout=layout))
    assert len(row) == 92
    assert row[3:6] == [3, 0, 90 * 90 - 1]
    assert row[6:90] == [NONE] * 84
    assert row[90:] == [0, 90 * 90 - 1]


def test_the_crop_is_told():
    cropped = sample(layout=[])
    cropped.set_metainfo(dict(crop_box=OBJECT[1]))
    assert ids(LayoutTokens(), cropped)[0][90:] == [1629, 4806]


CROP = (0.4, 0, 0.6, 1)
CROPPED = (7, (0.5, 0.2, 0.3, 0.4))


def test_boxes_of_a_crop_stay_in_the_full_picture():
    """The numbers of the original's builder with its encode_crop."""
    results = dict(img=np.zeros((20, 20, 3), np.uint8), layout=[CROPPED])
    crop(results, 0, 8, 20, 12)
    packed = PackInputs()(results)['data_samples']
    (row,) = ids(LayoutTokens(), packed)
    assert row[:3] == [7, 18 * 90 + 44, 53 * 90 + 71]
    assert [round(p / 89, 3) for p in (44, 18, 71, 53)] == [
        *(0.494, 0.202),
        *(0.798, 0.596),
    ]
    assert row[90:] == [36, 89 * 90 + 89]
    mirror(results)
    (row,) = ids(LayoutTokens(), PackInputs()(results)['data_samples'])
    assert row[:3] == [7, 18 * 90 + 18, 53 * 90 + 44]
    assert row[90:] == [0, 89 * 90 + 53]


def test_without_the_crop_boxes_are_those_of_the_image():
    cropped = sample(layout=[CROPPED, (3, (0, 0, 0.4, 1))])
    cropped.set_metainfo(dict(crop_box=CROP))
    (row,) = ids(LayoutTokens(crop=False), cropped)
    assert row[:3] == [7, 18 * 90 + 15, 53 * 90 + 59]
    assert row[3:] == [NONE] * 87


def test_sizes_arrive():
    tokenizer = LayoutTokens(max_objects=2, vocab_size=101, crop=False)
    layout = [(7, (0, 0.5, 0.5, 0.5))]
    # 10 points a side: rows 4 (4.5 to the even) and 9.
    assert ids(tokenizer, sample(layout=layout)) == [
        [7, 40, 94, 100, 100, 100]
    ]


def test_a_dropped_layout_has_no_objects_and_no_crop():
    cropped = sample(layout=[OBJECT])
    cropped.set_metainfo(dict(crop_box=OBJECT[1]))
    expected = ids(LayoutTokens(), sample(layout=[]))
    assert ids(LayoutTokens(), cropped, drop=True) == expected
    assert ids(LayoutTokens(), sample(), drop=True) == expected


def test_a_box_may_end_at_1_by_rounding():
    exact, rounded = (
        sample(layout=[(0, (0.1, 0, 0.9 + off, 1))]) for off in (0, 5e-7)
    )
    tokenizer = LayoutTokens()
    assert ids(tokenizer, rounded) == ids(tokenizer, exact)


def test_a_crop_outside_is_refused():
    cropped = sample(layout=[])
    cropped.set_metainfo(dict(crop_box=(0.5, 0, 1, 1)))
    with pytest.raises(ValueError, match='the crop_box of a.png'):
        ids(LayoutTokens(), cropped)


def test_classes_are_bounded_by_the_vocabulary():
    with pytest.raises(ValueError, match=r'class 100.* not in \[0, 100\)'):
        ids(LayoutTokens(vocab_size=101), sample(layout=[(100, OBJECT[1])]))
    with pytest.raises(ValueError, match='num_classes=101 does not fit into'):
        LayoutTokens(num_classes=101, vocab_size=101)
