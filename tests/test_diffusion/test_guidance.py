import pytest
import torch

from mmldm.diffusion import (
    ClassifierFreeGuidance,
    NoGuidance,
    ScaledLinearBetas,
)
from mmldm.structures import Condition

LEVEL = ScaledLinearBetas()(500)
COND = Condition(vector=torch.tensor([[2.0], [3.0]]))
NULL = Condition(vector=torch.tensor([[-1.0], [-1.0]]))
Z = torch.tensor([[10.0], [20.0]])


class Predict:
    """An estimate that tells latent and condition apart; counts calls."""

    def __init__(self):
        self.batches = []

    def __call__(self, z, level, cond):
        assert level is LEVEL
        self.batches.append(len(z))
        return z * cond.vector


def guided(guidance):
    predict = Predict()
    return guidance(predict, COND, NULL)(Z, LEVEL), predict.batches


@pytest.mark.parametrize('guidance', [NoGuidance(), ClassifierFreeGuidance(1)])
def test_without_guidance_the_estimate_is_conditional_and_made_once(guidance):
    z_0, batches = guided(guidance)
    assert z_0.flatten().tolist() == [20, 60]
    assert batches == [2]


def test_scale_0_is_unconditional():
    assert guided(ClassifierFreeGuidance(0))[0].flatten().tolist() == [
        -10,
        -20,
    ]


@pytest.mark.parametrize('scale', [0.0, 0.3, 1.0, 1.5, 3.0, 7.5])
def test_guidance_is_affine_from_null_to_conditional(scale):
    null, cond = Z * NULL.vector, Z * COND.vector
    z_0, _ = guided(ClassifierFreeGuidance(scale))
    torch.testing.assert_close(z_0, null + scale * (cond - null))


def test_both_estimates_are_one_call():
    assert guided(ClassifierFreeGuidance(3))[1] == [4]


def test_a_negative_scale_is_refused():
    with pytest.raises(ValueError, match='scale=-1 must be >= 0; 1 is off'):
        ClassifierFreeGuidance(-1)
