"""The norm that keeps channels_last, against torch's."""

import pytest
import torch
import torch.nn.functional as F

from mmldm.models.autoencoders.tiled_norms import WholeMapNorm
from mmldm.models.layers import group_norm as make_norm
from mmldm.models.layers.channels_last_norm import (
    GroupNorm,
    _would_reorder,
    group_norm_channels_last,
)

NORM = 'mmldm.models.layers.channels_last_norm'


def maps(dtype=torch.float64):
    torch.manual_seed(0)
    x = 3 + 2 * torch.randn(2, 6, 4, 5, dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(2, 6, dtype=torch.float64)
    return [value.requires_grad_() for value in (x, weight, bias)]


def test_norm_and_gradients_are_torchs():
    """Analytic gradients are equal to torch's and to differences."""
    own, other = maps(), maps()
    found = group_norm_channels_last(*own, 3, 1e-5)
    expected = F.group_norm(other[0], 3, other[1], other[2], 1e-5)
    torch.testing.assert_close(found, expected)
    pull = torch.randn_like(found)
    found.backward(pull)
    expected.backward(pull)
    for value, wanted in zip(own, other, strict=True):
        torch.testing.assert_close(value.grad, wanted.grad)
    assert torch.autograd.gradcheck(
        lambda *given: group_norm_channels_last(*given, 3, 1e-5), maps()
    )


def test_the_memory_order_is_kept_forward_and_backward():
    x, weight, bias = maps(torch.float32)
    out = group_norm_channels_last(x, weight.float(), bias.float(), 3, 1e-5)
    assert out.is_contiguous(memory_format=torch.channels_last)
    (grad,) = torch.autograd.grad(out.square().sum(), x)
    assert grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('autocast', [True, False])
def test_precision_is_torchs(autocast):
    """float32 under autocast, and that of the map otherwise."""
    x = maps()[0].detach().bfloat16()
    weight, bias = torch.ones(6), torch.zeros(6)
    if not autocast:
        weight, bias = weight.bfloat16(), bias.bfloat16()
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        found = group_norm_channels_last(x, weight, bias, 3, 1e-5)
    assert found.dtype == (torch.float32 if autocast else torch.bfloat16)
    expected = F.group_norm(x.float(), 3)
    torch.testing.assert_close(found.float(), expected, rtol=0.01, atol=0.01)


def test_it_is_used_where_torch_would_reorder_a_map(monkeypatch):
    norm = make_norm(64, 1e-5)
    assert isinstance(norm, GroupNorm)
    x, used = torch.randn(2, 64, 3, 3), []

    def spy(*arguments):
        used.append(arguments)
        return group_norm_channels_last(*arguments)

    monkeypatch.setattr(f'{NORM}.group_norm_channels_last', spy)
    expected = norm(x)
    assert not used
    monkeypatch.setattr(f'{NORM}._would_reorder', lambda x: True)
    torch.testing.assert_close(norm(x), expected)
    assert [given[3:] for given in used] == [(32, 1e-5)]


@pytest.mark.parametrize(
    'order, kernel, wanted',
    [
        (torch.channels_last, True, True),
        (torch.contiguous_format, True, False),
        (torch.channels_last, False, False),
    ],
)
def test_only_a_kernel_that_reorders_is_replaced(
    monkeypatch, order, kernel, wanted
):
    class OnGpu(torch.Tensor):
        is_cuda = True

    monkeypatch.setattr(f'{NORM}._kernel_reorders', lambda device: kernel)
    x = torch.randn(2, 4, 3, 3).contiguous(memory_format=order)
    assert _would_reorder(x.as_subclass(OnGpu)) == wanted
    assert not _would_reorder(x)
    with WholeMapNorm([], ()):
        assert not _would_reorder(x.as_subclass(OnGpu))
