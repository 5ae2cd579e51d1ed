import numpy as np
import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from mmldm.toy_data import Photographs
from mmldm.toy_data.photographs import HELD_OUT, PACKAGES


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


@pytest.fixture
def wallpapers(tmp_path):
    """Folder with pictures for a package, of one brightness each."""
    for place, name in enumerate(PACKAGES['mate-backgrounds']):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = (10 * place, 0, 200)
        Image.new('RGB', (2048, 1280), colour).save(path, quality=100)
    return tmp_path


def test_one_photograph_of_a_package_is_held_out(wallpapers):
    options = dict(packages=['mate-backgrounds'], data_root=str(wallpapers))
    *train, last = PACKAGES['mate-backgrounds']
    for split, names in (('train', train), ('val', [last])):
        samples = [
            entry
            for entry in Photographs(split, 64, [], **options)
            if entry['name'] in PACKAGES['mate-backgrounds']
        ]
        assert {sample['name'] for sample in samples} == {*names}
        # 1024 x 640 pixels after shrinking.
        assert len(samples) == len(names) * 16 * 10
        for sample in samples[::100]:
            place = PACKAGES['mate-backgrounds'].index(sample['name'])
            red, _, blue = sample['img'].reshape(-1, 3).mean(0)
            assert (red, blue) == pytest.approx((10 * place, 200), abs=2)


def test_a_package_that_is_not_installed_is_told(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match="packages='lomiri-.*needs .*: apt-get .* data_root=",
    ):
        Photographs(
            'train', 64, [], ['lomiri-wallpapers-16.04'], str(tmp_path)
        )
    with pytest.raises(ValueError, match="packages='gimp' is not known"):
        Photographs('train', 64, [], ['gimp'])


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
