import numpy as np
import pytest
from PIL import Image

from mmldm.datasets.transforms import LoadImage


def test_a_file_becomes_rgb_pixels(tmp_path):
    path = str(tmp_path / 'a.png')
    Image.new('RGB', (3, 2), (1, 2, 3)).save(path)
    results = LoadImage()(dict(img_path=path, gt_label=7))
    assert np.array_equal(results['img'], np.full((2, 3, 3), [1, 2, 3]))
    assert results['ori_shape'] == (2, 3)
    assert results['gt_label'] == 7


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / 'a.png').touch()
    with pytest.raises(ValueError, match='a.png cannot be read'):
        LoadImage()(dict(img_path=str(tmp_path / 'a.png')))


@pytest.mark.parametrize('shape', [(2, 3), (200, 300), (640, 959), None])
def test_an_image_may_be_a_smaller_copy_of_the_annotated_one(tmp_path, shape):
    Image.new('RGB', (3, 2)).save(tmp_path / 'a.png')
    path = str(tmp_path / 'a.png')
    LoadImage()(dict(img_path=path, annotated_shape=shape))


def test_an_image_turned_since_it_was_annotated_is_refused(tmp_path):
    Image.new('RGB', (48, 64)).save(tmp_path / 'a.png')
    path = str(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='a.png is 64x48, but.*for 48x64'):
        LoadImage()(dict(img_path=path, annotated_shape=(48, 64)))
