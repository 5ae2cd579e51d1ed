import pytest
import torch

from mmldm.diffusion import (
    EpsilonPrediction,
    MinSNRWeighting,
    SamplePrediction,
    ScaledLinearBetas,
    UniformWeighting,
    VelocityPrediction,
)


@pytest.fixture
def level():
    return ScaledLinearBetas()(torch.arange(0, 1000, 37))


# Hang et al. 2023, section 3.4 and app. A.
@pytest.mark.parametrize(
    'prediction, published',
    [
        (EpsilonPrediction(), lambda snr, least: least / snr),
        (VelocityPrediction(), lambda snr, least: least / (snr + 1)),
        (SamplePrediction(), lambda snr, least: least),
    ],
)
@pytest.mark.parametrize('gamma', [1.0, 5.0])
def test_min_snr_is_the_published_weight(prediction, published, gamma, level):
    weight = MinSNRWeighting(gamma)(level, prediction)
    least = torch.minimum(level.snr, torch.tensor(gamma))
    torch.testing.assert_close(weight, published(level.snr, least))


def test_uniform_weights_are_one(level, prediction):
    weight = UniformWeighting()(level, prediction)
    assert weight.tolist() == [1] * len(level.alpha)


@pytest.mark.parametrize('gamma', [0, -1])
def test_gamma_must_be_positive(gamma):
    with pytest.raises(ValueError, match=f'gamma={gamma} must be positive'):
        MinSNRWeighting(gamma)
