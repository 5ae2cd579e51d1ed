import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from torch import nn

from mmldm.datasets.transforms import PackInputs
from mmldm.evaluation.classifier_accuracy import pooled_features
from mmldm.registry import METRICS, MODELS
from mmldm.structures import LDMDataSample
from mmldm.toy_data import DigitsDataset


def digits(split):
    """The config of a split of the digits, small for speed."""
    return dict(
        type='DigitsDataset',
        split=split,
        size=8,
        pipeline=[dict(type='PackInputs')],
    )


@pytest.fixture(scope='module')
def real():
    """Images and labels of the test split."""
    dataset = DigitsDataset('test', 8, pipeline=[PackInputs()])
    samples = list(dataset)
    return (
        [sample['inputs'] for sample in samples],
        np.array([sample['data_samples'].label for sample in samples]),
    )


def judge(images, labels, **kwargs):
    """What the metric says of generated images, by name."""
    metric = METRICS.build(
        dict(
            type='ClassifierAccuracy',
            train_dataset=digits('train'),
            test_dataset=digits('test'),
            **kwargs,
        )
    )
    samples = []
    for image, label in zip(images, labels, strict=True):
        sample = LDMDataSample().set_gt_label(int(label))
        sample.pred_img = image
        samples.append(sample)
    evaluator = Evaluator(metric)
    evaluator.process(samples)
    return evaluator.evaluate(size=len(samples))


def test_real_images_reach_the_accuracy_on_real_images(real):
    accuracy = judge(*real)
    assert accuracy['class_accuracy'] == accuracy['test_accuracy_real'] > 0.95


def test_permuted_labels_are_met_by_chance(real):
    """0.1 of 359, with a deviation of 0.016."""
    images, labels = real
    accuracy = judge(images, np.random.permutation(labels))
    assert 0.04 < accuracy['class_accuracy'] < 0.16
    assert accuracy['test_accuracy_real'] > 0.95


def test_a_wrong_label_is_an_error(real):
    images, labels = real
    wrong = np.where(np.arange(len(labels)) % 2, labels, (labels + 1) % 10)
    accuracy = judge(images, wrong)['class_accuracy']
    assert accuracy == pytest.approx(0.5, abs=0.02)


def test_the_size_of_the_features_arrives(real):
    """The mean grey alone tells few digits apart."""
    accuracy = judge(*real, feature_size=1)
    assert accuracy['class_accuracy'] < 0.5
    assert accuracy['test_accuracy_real'] < 0.5


class MeanGrey(nn.Module):
    """A feature network with one feature, and no classes."""

    def forward(self, images):
        return images.float().mean((2, 3)).mean(1, keepdim=True) / 255, None


def test_the_features_of_a_network_replace_the_pixels(real):
    """Here the one that the pixels have with ``feature_size=1``."""
    name = 'MeanGreyForAccuracy'
    MODELS.register_module(name=name, module=MeanGrey, force=True)
    by_network = judge(*real, features=dict(type=name))
    assert by_network == judge(*real, feature_size=1)


def test_features_are_mean_greys_of_blocks():
    image = torch.zeros(3, 4, 6, dtype=torch.uint8)
    image[:, :2, 3:] = torch.tensor([30, 60, 90])[:, None, None]
    image[:, 2:, :3] = 255
    expected = [0, 60 / 255, 1, 0]
    assert pooled_features(image, 2) == pytest.approx(expected)
