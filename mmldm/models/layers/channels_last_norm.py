"""Group normalisation that keeps the memory order of feature maps."""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class GroupNorm(nn.GroupNorm):
    """``nn.GroupNorm`` whose output is channels_last if its input is.

    CUDA's kernel of torch 2.12 returns NCHW: each convolution after a norm
    would reorder its input first. On a CPU, and where torch keeps the order,
    this is ``nn.GroupNorm``; ``torch.compile`` makes its own kernel.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        if torch.compiler.is_compiling() or not _would_reorder(x):
            return super().forward(x)
        options = self.weight, self.bias, self.num_groups, self.eps
        return group_norm_channels_last(x, *options)


def _would_reorder(x: Tensor) -> bool:
    """Whether torch's kernel would return another memory order."""
    return (
        x.is_cuda
        # The norms of tiles replace torch's function.
        and not torch._C._len_torch_function_stack()
        and x.ndim == 4
        and not x.is_contiguous()
        and x.is_contiguous(memory_format=torch.channels_last)
        and _kernel_reorders(x.device)
    )


@cache
def _kernel_reorders(device: torch.device) -> bool:
    x = torch.zeros(1, 2, 2, 2, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    return F.group_norm(x, 1).is_contiguous()


def group_norm_channels_last(
    x: Tensor, weight: Tensor, bias: Tensor, num_groups: int, eps: float
) -> Tensor:
    """Group norm of a channels_last map, in its memory order.

    The output is float32 under autocast, as torch's is.

    Args:
        x: Feature map, (B, C, h, w).
        weight: Factor of each channel, (C,).
        bias: Added to each channel, (C,).
        num_groups: Number of groups of channels.
        eps: Added to the variances.
    """
    dtype = x.dtype
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.float32
    return _ChannelsLast.apply(x, weight, bias, num_groups, eps, dtype)


class _ChannelsLast(torch.autograd.Function):
    """Two passes over the map forward, and few temporary maps backward."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        num_groups: int,
        eps: float,
        dtype: torch.dtype,
    ) -> Tensor:
        wide = _wide(x)
        groups = wide.permute(0, 2, 3, 1).unflatten(3, (num_groups, -1))
        var, mean = torch.var_mean(groups, dim=(1, 2, 4), correction=0)
        inverse = (var + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, inverse)
        gain = _by_channel(inverse, x) * weight
        shift = bias - _by_channel(mean, x) * gain
        out = torch.addcmul(_as_map(shift), wide, _as_map(gain))
        return out.to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors
        grad, wide = _wide(grad), _wide(x)
        groups, count = mean.shape[1], x[0].numel() / mean.shape[1]
        means, inverses = _by_channel(mean, x), _by_channel(inverse, x)
        total = grad.sum((2, 3))
        # The sum of the gradient times the normalised map, for each channel.
        along = ((grad * wide).sum((2, 3)) - means * total) * inverses
        pulls = (weight * total).unflatten(1, (groups, -1)).sum(2) / count
        turns = (weight * along).unflatten(1, (groups, -1)).sum(2) / count
        slope = _by_channel(-turns * inverse.square(), x)
        rest = _by_channel(-pulls * inverse, x) - means * slope
        out = torch.addcmul(_as_map(rest), wide, _as_map(slope))
        out = torch.addcmul(out, grad, _as_map(inverses * weight))
        return (
            out.to(x.dtype),
            along.sum(0).to(weight.dtype),
            total.sum(0).to(weight.dtype),
            *(None, None, None),
        )


def _wide(x: Tensor) -> Tensor:
    """The map in the precision of sums, at least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    """Values of groups (B, G), repeated for the channels of ``x``, (B, C)."""
    return values.repeat_interleave(x.shape[1] // values.shape[1], dim=1)


def _as_map(values: Tensor) -> Tensor:
    """(B, C) -> (B, C, 1, 1)."""
    return values[:, :, None, None]
