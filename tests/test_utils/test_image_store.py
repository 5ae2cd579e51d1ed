"""Images in files that a run can go on with."""

import numpy as np
import pytest
from PIL import Image

from mmldm.utils.image_archive import write_archive
from mmldm.utils.image_store import ImageStore, image_path


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)


@pytest.fixture
def store(tmp_path, image):
    store = ImageStore(tmp_path, 'run a')
    store.write(3, image)
    return store


def test_an_image_returns_with_its_colours(store, image, tmp_path):
    """For our reader and for others."""
    assert np.array_equal(store.read(3), image)
    other = Image.open(image_path(tmp_path, 3))
    assert np.array_equal(np.asarray(other), image)
    assert other.text == {'mmldm': 'run a'}
    assert store.has(3) and not store.has(4)


def test_an_image_of_another_run_is_missing(store, tmp_path):
    assert not ImageStore(tmp_path, 'run b').has(3)
    assert ImageStore(tmp_path, 'run b').read(3) is None


def test_damage_anywhere_makes_an_image_missing(store, tmp_path):
    """Every cut, and every byte that changes."""
    path = image_path(tmp_path, 3)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place])
        assert not store.has(3), place
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert not store.has(3), place
    path.write_bytes(whole)
    assert store.has(3)


def test_nothing_but_images_is_left(store, tmp_path, image):
    store.write(3, image)
    assert [p.name for p in tmp_path.rglob('*.png*')] == ['000003.png']


@pytest.mark.parametrize('labels', [None, [4, 2]])
def test_an_archive_is_read_by_numpy(tmp_path, image, labels):
    images = [image, 255 - image]
    write_archive(tmp_path / 'deep' / 'a.npz', iter(images), 2, labels)
    with np.load(tmp_path / 'deep' / 'a.npz') as arrays:
        assert np.array_equal(arrays['arr_0'], images)
        assert labels is None or np.array_equal(arrays['arr_1'], labels)
        assert len(arrays) == 1 + (labels is not None)


def test_an_archive_refuses_sizes_that_differ(tmp_path, image):
    with pytest.raises(ValueError, match=r'\(9, 7\) and \(7, 7\)'):
        write_archive(tmp_path / 'a.npz', iter([image, image[:7]]), 2)
    assert not (tmp_path / 'a.npz').exists()
