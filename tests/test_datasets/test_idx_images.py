"""Files in the idx format; the header is written here by its definition."""

import gzip
import struct

import numpy as np
import pytest

from mmldm.datasets import IdxImages
from mmldm.datasets.idx_files import read_idx

GREY = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
LABELS = np.array([0, 2, 1, 0, 2, 1], np.uint8)


def idx(values, kind=0x08):
    sides = struct.pack(f'>{values.ndim}I', *values.shape)
    return bytes([0, 0, kind, values.ndim]) + sides + values.tobytes()


@pytest.fixture
def folder(tmp_path):
    """Six images and labels: the one compressed, the other not."""
    (tmp_path / 'images.gz').write_bytes(gzip.compress(idx(GREY), mtime=0))
    (tmp_path / 'labels').write_bytes(idx(LABELS))
    return tmp_path


def load(folder, **kwargs):
    arguments = dict(images='images', labels='labels', pipeline=[])
    arguments.update(serialize_data=False, **kwargs)
    return IdxImages(str(folder), **arguments)


def test_images_come_with_their_classes(folder):
    dataset = load(folder, classes=['a', 'b', 'c'], size=8)
    assert dataset.metainfo['classes'] == ('a', 'b', 'c')
    for sample, image, label in zip(dataset, GREY, LABELS, strict=True):
        assert np.array_equal(sample['img'], np.stack([image] * 3, axis=2))
        assert sample['gt_label'] == label
        assert sample['size'] == 8


def test_colours_are_kept_and_classes_left_out(tmp_path):
    colour = np.random.default_rng(1).integers(0, 256, (2, 4, 3, 3), np.uint8)
    (tmp_path / 'images').write_bytes(idx(colour))
    dataset = load(tmp_path, labels=None)
    assert np.array_equal([sample['img'] for sample in dataset], colour)
    assert 'gt_label' not in dataset[0]


def test_a_pipeline_cannot_change_the_images(folder):
    dataset = load(folder)
    dataset[0]['img'][:] = 7
    assert np.array_equal(dataset[0]['img'][..., 0], GREY[0])


def test_a_part_keeps_its_images(folder):
    part = load(folder, indices=[4, 1])
    assert np.array_equal([s['img'][..., 0] for s in part], GREY[[4, 1]])
    assert [s['gt_label'] for s in part] == [2, 2]


WHOLE = idx(GREY)


@pytest.mark.parametrize(
    'content, words',
    [
        (b'', 'no idx file begins with nothing'),
        (b'\x89PNG' + WHOLE, 'no idx file begins with 89504e47'),
        (idx(GREY, kind=0x0D), 'type 0x0d, expected 0x08'),
        (WHOLE[:9], 'its header is cut off'),
        (WHOLE[:-1], 'is for 6x5x4 bytes, but 119 follow'),
        (WHOLE + b'0', 'is for 6x5x4 bytes, but 121 follow'),
        (gzip.compress(WHOLE, mtime=0)[:-20], 'cannot be read'),
        (gzip.compress(WHOLE, mtime=0)[:20] + b'0' * 60, 'cannot be read'),
        (b'\0\0\x08\x03' + b'\xff' * 12, 'but 0 follow'),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / 'images'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(': download it again')


def test_files_that_do_not_belong_together_are_refused(folder):
    with pytest.raises(ValueError, match='labels holds 6 numbers, expected'):
        load(folder, images='labels')
    with pytest.raises(ValueError, match='6x5x4 classes, but images 6 images'):
        load(folder, labels='images')
    with pytest.raises(ValueError, match='class 2, but .*names 2: name all'):
        load(folder, classes=['a', 'b'])


def test_a_missing_folder_or_file_is_refused(folder):
    with pytest.raises(FileNotFoundError, match='dataset.data_root=FOLDER'):
        load(folder / 'none')
    with pytest.raises(FileNotFoundError, match='other does not exist, nor'):
        load(folder, images='other')
