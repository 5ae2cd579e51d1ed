import numpy as np
import pytest
from sklearn.datasets import load_digits

from mmldm.toy_data import DigitsDataset

FOR_TEST = np.arange(1797) % 5 == 4


def columns(size):
    """Both splits put together again: grey images, labels."""
    images = np.zeros((1797, size, size))
    labels = np.full(1797, -1)
    for split, chosen in (('train', ~FOR_TEST), ('test', FOR_TEST)):
        # Serializing collects garbage: half a second a dataset.
        dataset = list(
            DigitsDataset(split, size, pipeline=[], serialize_data=False)
        )
        images[chosen] = [sample['img'][..., 0] for sample in dataset]
        labels[chosen] = [sample['gt_label'] for sample in dataset]
    return images, labels


def test_every_fifth_digit_is_for_testing():
    assert len(DigitsDataset('train', 8, pipeline=[])) == 1438
    assert len(DigitsDataset('test', 8, pipeline=[])) == 359


def test_the_splits_share_nothing_and_are_everything():
    """At 8 x 8 nothing is enlarged: 17 grey levels spread over 256."""
    images, labels = columns(size=8)
    digits = load_digits()
    assert abs(images - digits.images * 255 / 16).max() <= 0.5
    assert np.array_equal(labels, digits.target)


def test_an_enlarged_digit_pooled_back_is_most_like_its_original():
    pooled = columns(size=32)[0].reshape(-1, 8, 4, 8, 4).mean((2, 4))
    likeness = np.corrcoef(pooled.reshape(-1, 64), load_digits().data)
    likeness = likeness[:1797, 1797:]
    assert np.array_equal(likeness.argmax(1), np.arange(1797))
    assert likeness.diagonal().min() > 0.98


def test_a_digit_is_grey():
    image = DigitsDataset('test', 12, pipeline=[])[0]['img']
    assert image.dtype == np.uint8
    assert np.array_equal(image, np.repeat(image[..., :1], 3, axis=2))


def test_an_unknown_split_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="split='tset'.*mean 'test'"):
        DigitsDataset('tset', 8, pipeline=[])


def test_a_size_of_nothing_is_refused():
    with pytest.raises(ValueError, match='size=0 must be positive'):
        DigitsDataset('test', 0, pipeline=[])


def test_some_digits_are_mirrored_and_few_of_each_are_taken():
    plain, few = (
        list(DigitsDataset('train', 8, pipeline=[], **options))
        for options in ({}, dict(mirrored=[3], most=2))
    )
    for digit in range(10):
        first, found = (
            [d['img'] for d in data if d['gt_label'] == digit]
            for data in (plain, few)
        )
        flip = -1 if digit == 3 else 1
        assert len(found) == 2
        assert np.array_equal(found[1], first[1][:, ::flip])
