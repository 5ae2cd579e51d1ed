import pickle

import numpy as np
import pytest
import torch
from mmagic.structures import DataSample

from mmldm.structures import LDMDataSample


def test_the_label_is_a_number(labelled):
    assert labelled(7).label == 7


def test_a_missing_label_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match='a data set with gt_label'):
        _ = LDMDataSample().label


def test_the_address_is_what_was_given(labelled):
    assert labelled(7, address=(3, 5)).random_address == (3, 5)
    assert labelled(7).random_address is None


def test_the_address_arrives_from_a_dataset():
    results = dict(address=(3, 5), img_path='a.png', gt_label=2)
    sample, base = LDMDataSample(), DataSample()
    sample.set_predefined_data(results)
    base.set_predefined_data(results)
    assert sample.random_address == (3, 5)
    assert sample.img_path == 'a.png'
    assert sample.label == 2
    assert 'address' not in base.metainfo


def test_a_negative_travels_with_its_sample(labelled):
    sample = labelled(7)
    assert sample.negative is None
    sample.negative = labelled(3)
    assert sample.negative.label == 3
    assert sample.clone().negative.label == 3
    assert pickle.loads(pickle.dumps(sample)).negative.label == 3


def test_a_negative_that_is_no_sample_is_refused(labelled):
    with pytest.raises(ValueError, match='negative=3 must be an LDMDataSamp'):
        labelled(7).negative = 3


def test_annotations_of_all_kinds_arrive_from_a_dataset():
    """Words and boxes as they are, numbers as numbers, maps as images."""
    layout = [(7, (0.1, 0.2, 0.3, 0.4))]
    sample = LDMDataSample()
    sample.set_predefined_data(
        dict(
            caption='a red circle',
            layout=layout,
            crop_box=(0, 0, 0.5, 1),
            tokens=np.arange(3),
            features=np.ones((2, 4), np.float32),
            gt_sem_seg=np.zeros((8, 6), np.uint8),
            img_lq=np.zeros((4, 5, 3), np.uint8),
        )
    )
    assert sample.caption == 'a red circle'
    assert sample.layout == layout
    assert sample.metainfo['crop_box'] == (0, 0, 0.5, 1)
    assert sample.tokens.tolist() == [0, 1, 2]
    assert sample.features.shape == (2, 4)
    assert sample.gt_sem_seg.shape == (1, 8, 6)
    assert sample.gt_sem_seg.dtype == torch.uint8
    assert sample.img_lq.shape == (3, 4, 5)


def test_a_missing_field_names_sample_and_reader():
    sample = LDMDataSample(metainfo=dict(img_path='a.png'), caption='red')
    assert sample.require('caption', 'Reader') == 'red'
    with pytest.raises(ValueError, match='^a.png has no mask, which Reader n'):
        sample.require('mask', 'Reader')
