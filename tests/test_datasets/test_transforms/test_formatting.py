import numpy as np
import pytest

from mmldm.datasets.transforms import PackInputs

IMAGE = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)


def test_pixels_are_packed_channels_first():
    inputs = PackInputs()(dict(img=IMAGE))['inputs']
    assert inputs.tolist() == IMAGE.transpose(2, 0, 1).tolist()
    assert str(inputs.dtype) == 'torch.uint8'


def test_a_flipped_image_is_packed():
    """torch takes no negative strides."""
    inputs = PackInputs()(dict(img=IMAGE[:, ::-1]))['inputs']
    assert inputs[0].tolist() == IMAGE[:, ::-1, 0].tolist()


@pytest.mark.parametrize(
    'key, value',
    [
        ('address', (7, 31)),
        ('img_path', 'a.png'),
        ('ori_shape', (5, 6)),
        ('sample_idx', 4),
    ],
)
def test_what_is_known_of_an_image_reaches_the_data_sample(key, value):
    sample = PackInputs()({'img': IMAGE, key: value})['data_samples']
    assert sample.metainfo[key] == value
    assert key not in PackInputs()(dict(img=IMAGE))['data_samples'].metainfo


def test_the_label_reaches_the_data_sample():
    assert PackInputs()(dict(gt_label=7))['data_samples'].label == 7


def test_the_shape_is_that_of_the_packed_image():
    packed = PackInputs()(dict(img=IMAGE, img_shape=(100, 100)))
    assert packed['data_samples'].img_shape == (2, 4)


def test_without_an_image_the_wished_shape_counts():
    packed = PackInputs()(dict(img_shape=(100, 50)))
    assert packed['data_samples'].img_shape == (100, 50)
    assert 'inputs' not in packed
