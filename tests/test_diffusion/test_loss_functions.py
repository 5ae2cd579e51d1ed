import pytest
import torch

from mmldm.diffusion import HuberLoss, L1Loss, L2Loss
from mmldm.diffusion.loss_functions import direction_error


@pytest.mark.parametrize(
    'loss, expected',
    [
        (L1Loss(), [3, 0.5, 0, 2]),
        (L2Loss(), [9, 0.25, 0, 4]),
        (HuberLoss(), [2.5, 0.125, 0, 1.5]),
        (HuberLoss(delta=2.0), [4, 0.125, 0, 2]),
    ],
)
def test_what_an_error_costs(loss, expected):
    target = torch.tensor([1.0, -2.0, 4.0, 0.0])
    out = target + torch.tensor([3.0, -0.5, 0.0, 2.0])
    assert loss(out, target).tolist() == pytest.approx(expected)
    assert loss(target, out).tolist() == pytest.approx(expected)


def test_delta_must_be_positive():
    with pytest.raises(ValueError, match='delta=0 must be positive'):
        HuberLoss(delta=0)


def test_the_direction_error_is_of_the_angle_alone():
    target = torch.randn(2, 4, 3, 5)
    for length in (0.1, 1.0, 30.0):
        torch.testing.assert_close(
            direction_error(length * target, target), torch.zeros(2)
        )
    torch.testing.assert_close(
        direction_error(-target, target), torch.full((2,), 2.0)
    )


def test_the_direction_is_that_of_the_channels_at_each_place():
    """60 degrees at one place, none at the other three."""
    target = torch.zeros(1, 2, 2, 2)
    target[:, 0] = 1
    out = target.clone()
    out[0, :, 0, 1] = 100 * torch.tensor([0.5, 0.75**0.5])
    torch.testing.assert_close(
        direction_error(out, target), torch.tensor([0.5 / 4])
    )
