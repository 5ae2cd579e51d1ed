import pickle

import pytest
from mmagic.structures import DataSample

from mmldm.structures import LDMDataSample


def test_the_label_is_a_number(labelled):
    assert labelled(7).label == 7


def test_a_missing_label_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match='that gives gt_label'):
        _ = LDMDataSample().label


def test_the_address_is_what_was_given(labelled):
    assert labelled(7, address=(3, 5)).draw_address == (3, 5)
    assert labelled(7).draw_address is None


def test_the_address_arrives_from_a_dataset():
    results = dict(address=(3, 5), img_path='a.png', gt_label=2)
    sample, base = LDMDataSample(), DataSample()
    sample.set_predefined_data(results)
    base.set_predefined_data(results)
    assert sample.draw_address == (3, 5)
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
