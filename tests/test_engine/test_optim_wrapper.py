import pytest
import torch
from mmengine.optim import OptimWrapper

from mmldm.engine import AutocastOptimWrapper


def wrapper(weight, **options):
    return AutocastOptimWrapper(
        optimizer=torch.optim.SGD([weight], lr=1.0), **options
    )


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_a_product_has_the_dtype_asked_for(dtype):
    weight = torch.ones(2, 2, requires_grad=True)
    with wrapper(weight, dtype=dtype).optim_context(torch.nn.Identity()):
        assert (weight @ weight).dtype == getattr(torch, dtype)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_the_loss_scale_does_not_reach_the_step(dtype):
    weight = torch.tensor([3.0], requires_grad=True)
    wrapper(weight, dtype=dtype).update_params((weight * 0.5).sum())
    assert weight.item() == pytest.approx(2.5)


def test_gradients_are_clipped_after_they_are_unscaled():
    weight = torch.tensor([3.0], requires_grad=True)
    wrapper(
        weight, dtype='float16', clip_grad=dict(max_norm=0.1)
    ).update_params(weight.sum())
    assert weight.item() == pytest.approx(2.9, abs=1e-3)


def test_an_overflow_leaves_the_step_out():
    weight = torch.tensor([3.0], requires_grad=True)
    wrapper(weight, dtype='float16').update_params((weight * 1e38).sum())
    assert weight.item() == 3.0


def test_gradients_accumulate():
    weight = torch.tensor([3.0], requires_grad=True)
    twice = wrapper(weight, accumulative_counts=2)
    twice.initialize_count_status(torch.nn.Identity(), 0, 4)
    twice.update_params(weight.sum())
    assert weight.item() == 3.0
    twice.update_params(weight.sum())
    assert weight.item() == 2.0


def test_the_loss_scale_is_resumed():
    weight = torch.tensor([3.0], requires_grad=True)
    first = wrapper(weight, dtype='float16')
    first.update_params((weight * 1e38).sum())  # halves the scale
    second = wrapper(weight, dtype='float16')
    second.load_state_dict(first.state_dict())
    assert second.scaler.get_scale() == first.scaler.get_scale() == 2.0**15


def test_another_dtype_is_refused():
    weight = torch.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="'bfloat16'"):
        wrapper(weight, dtype='bf16')


@pytest.mark.parametrize('dtype', ['bfloat16', None])
def test_float16_goes_on_from_another_precision(dtype):
    weight = torch.tensor([3.0], requires_grad=True)
    before = (
        wrapper(weight, dtype=dtype)
        if dtype
        else OptimWrapper(torch.optim.SGD([weight], lr=1.0))
    )
    after = wrapper(weight, dtype='float16')
    after.load_state_dict(before.state_dict())
    after.update_params(weight.sum())
    assert weight.item() == pytest.approx(2.0)
