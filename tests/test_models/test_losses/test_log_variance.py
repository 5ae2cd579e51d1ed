import pytest
import torch

from mmldm.models.losses import LearnedLogVariance

ERRORS = torch.tensor([0.5, 2.0, 8.0])


@pytest.mark.parametrize('init', [0.0, -1.5])
def test_the_error_is_divided_by_the_variance_of_its_time(init):
    loss = LearnedLogVariance(10, init)
    loss.table.data[7] = 2.0
    s = torch.tensor([init, 2.0, 2.0])
    torch.testing.assert_close(
        loss(ERRORS, torch.tensor([0.0, 7.0, 7.9])), ERRORS / s.exp() + s
    )


def test_the_end_of_continuous_time_has_the_last_variance():
    loss = LearnedLogVariance(10)
    loss.table.data[9] = 3.0
    assert loss(torch.zeros(1), torch.tensor([10.0])).tolist() == [3]


def test_the_logarithm_of_the_error_is_learned():
    """Where the gradient of error / exp(s) + s vanishes."""
    loss = LearnedLogVariance(4)
    loss.table.data[1:] = ERRORS.log()
    t = torch.tensor([1, 2, 3])
    loss(ERRORS, t).sum().backward()
    torch.testing.assert_close(loss.table.grad, torch.zeros(4))
    loss(3 * ERRORS, t).sum().backward()
    torch.testing.assert_close(
        loss.table.grad, torch.tensor([0.0, -2.0, -2.0, -2.0])
    )
