import numpy as np
import pytest
import torch

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


LAYOUT = [(3, (0.1, 0.2, 0.3, 0.4))]


@pytest.mark.parametrize(
    'key, value, packed',
    [
        ('caption', 'a red circle', 'a red circle'),
        ('layout', LAYOUT, LAYOUT),
        ('tokens', np.array([3, 1]), torch.tensor([3, 1])),
        ('features', np.eye(2), torch.eye(2, dtype=torch.float64)),
        ('gt_sem_seg', IMAGE[..., 0], torch.tensor([[[0, 3, 6, 9]]])),
        ('mask', IMAGE[..., 0] > 3, torch.tensor([[[0, 0, 1, 1]]])),
        ('crop_box', (0, 0, 0.5, 0.5), (0, 0, 0.5, 0.5)),
    ],
)
def test_a_condition_reaches_the_data_sample(key, value, packed):
    sample = PackInputs()({'img': IMAGE, key: value})['data_samples']
    found = sample.get(key)
    if isinstance(packed, torch.Tensor) and key in ('gt_sem_seg', 'mask'):
        assert found.shape == (1, 2, 4)
        found = found[:, :1]
    if isinstance(packed, torch.Tensor):
        assert torch.equal(found.to(packed), packed)
    else:
        assert found == packed
    assert key not in PackInputs()(dict(img=IMAGE))['data_samples']


def test_a_small_image_is_packed():
    sample = PackInputs()(dict(img=IMAGE, img_lq=IMAGE))['data_samples']
    assert np.array_equal(sample.img_lq, IMAGE.transpose(2, 0, 1))


def test_the_image_is_packed_where_asked_for():
    packed = PackInputs(gt_img=True)(dict(img=IMAGE))
    assert torch.equal(packed['data_samples'].gt_img, packed['inputs'])
    assert 'gt_img' not in PackInputs()(dict(img=IMAGE))['data_samples']


def test_a_flipped_map_is_packed():
    """torch takes no negative strides."""
    sample = PackInputs()(dict(gt_sem_seg=IMAGE[:, ::-1, 0]))['data_samples']
    assert sample.gt_sem_seg[0, 0].tolist() == [9, 6, 3, 0]


def test_maps_of_ones_own_are_packed():
    results = dict(
        img=IMAGE,
        depth=IMAGE[..., 0] / 2,
        normal=IMAGE,
        extra_maps=['depth', 'normal'],
    )
    sample = PackInputs()(results)['data_samples']
    assert np.array_equal(sample.depth, IMAGE[None, ..., 0] / 2)
    assert np.array_equal(sample.normal, IMAGE.transpose(2, 0, 1))
