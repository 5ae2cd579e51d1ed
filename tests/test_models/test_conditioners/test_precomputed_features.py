import numpy as np
import pytest
import torch

from mmldm.models.conditioners import Conditioner, PrecomputedFeatures
from mmldm.structures import LDMDataSample


def sample(features):
    return LDMDataSample(metainfo=dict(img_path='a.png'), features=features)


def test_features_are_tokens_as_they_are():
    rows = torch.randn(2, 5, 4)
    samples = [sample(rows[0]), sample(rows[1].numpy())]
    conditioner = Conditioner([dict(type='PrecomputedFeatures', embed_dim=4)])
    assert torch.equal(conditioner(samples).tokens, rows)
    assert not conditioner.null(samples).tokens.any()
    dropped = PrecomputedFeatures(4)(samples, torch.tensor([True, False]))
    assert torch.equal(dropped[1], rows[1])
    assert not dropped[0].any()


def test_they_follow_the_model_to_its_precision():
    conditioner = Conditioner([dict(type='PrecomputedFeatures', embed_dim=4)])
    conditioner.to(torch.bfloat16)
    tokens = conditioner([sample(np.ones((2, 4)))]).tokens
    assert tokens.dtype == torch.bfloat16


@pytest.mark.parametrize(
    'samples, message',
    [
        (
            [LDMDataSample()],
            'has no features, which PrecomputedFeatures needs',
        ),
        (
            [sample(torch.ones(4))],
            r'features of a.png have the shape \(4,\), but must be \(L, 4\)',
        ),
        ([sample(torch.ones(2, 3))], r'shape \(2, 3\)'),
        (
            [sample(torch.ones(2, 4)), sample(torch.ones(3, 4))],
            r'one batch have \[2, 3\] features',
        ),
    ],
)
def test_what_is_wrong_is_named(samples, message):
    keep = torch.zeros(len(samples), dtype=torch.bool)
    with pytest.raises(ValueError, match=message):
        PrecomputedFeatures(4)(samples, keep)
