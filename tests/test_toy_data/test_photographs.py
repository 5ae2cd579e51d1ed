import numpy as np
import pytest
from skimage import data
from sklearn.datasets import load_sample_image

from mmldm.toy_data import Photographs
from mmldm.toy_data.photographs import HELD_OUT


def dataset(split, size=64, pipeline=()):
    return Photographs(split, size, [*pipeline])


def test_whole_photographs_are_held_out():
    names = {
        split: {sample['name'] for sample in dataset(split)}
        for split in ('train', 'val')
    }
    assert names['val'] == set(HELD_OUT)
    assert not names['train'] & names['val']
    assert len(names['train']) == 6  # of the motorcycle there are two


def test_held_out_tiles_lie_side_by_side():
    """Put together again."""
    tiles = [s['img'] for s in dataset('val') if s['name'] == 'china']
    rows = [np.concatenate(tiles[i : i + 10], 1) for i in range(0, 60, 10)]
    photograph = load_sample_image('china.jpg')[:384, :640]
    np.testing.assert_array_equal(np.concatenate(rows), photograph)


def test_photographs_are_drawn_as_often_as_they_have_tiles():
    samples = [s for s in dataset('train') if s['name'] == 'rocket']
    assert len(samples) == (427 // 64) * (640 // 64)
    for sample in samples[::20]:
        np.testing.assert_array_equal(sample['img'], data.rocket())


def test_all_are_in_colour():
    for split in ('train', 'val'):
        seen = set()
        for sample in dataset(split):
            if sample['name'] not in seen:
                seen.add(sample['name'])
                assert np.ptp(sample['img'].astype(int), axis=2).max() > 20


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(split='test'), "split='test' is not known"),
        (dict(split='val', size=0), 'size=0 must be positive'),
        (dict(split='val', size=None), 'size=0 must be positive'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dataset(**options)
