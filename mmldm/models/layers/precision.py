"""Layers that stay in float32 under autocast, where bfloat16 is too coarse."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Float32Conv2d(nn.Conv2d):
    """A convolution that computes in float32 under autocast.

    Otherwise it computes in the precision of its weights. It is used for
    latents and images, for residual streams, and where compared gradients
    would overflow in float16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, h, w) -> (B, out, h, w), float32 under autocast."""
        dtype = _precision(self.weight, x)
        with torch.autocast(x.device.type, enabled=False):
            weight, bias = self.weight.to(dtype), _cast(self.bias, dtype)
            return self._conv_forward(x.to(dtype), weight, bias)


class Float32Linear(nn.Linear):
    """A linear layer that computes in float32 under autocast.

    Otherwise it computes in the precision of its weights.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32 under autocast."""
        dtype = _precision(self.weight, x)
        with torch.autocast(x.device.type, enabled=False):
            weight, bias = self.weight.to(dtype), _cast(self.bias, dtype)
            return F.linear(x.to(dtype), weight, bias)


def _precision(weight: Tensor, x: Tensor) -> torch.dtype:
    """The type of the weight, but at least float32 under autocast.

    Processes that share a model may gather weights in bfloat16.
    """
    if torch.is_autocast_enabled(x.device.type):
        return torch.promote_types(weight.dtype, torch.float32)
    return weight.dtype


def _cast(bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if bias is None else bias.to(dtype)
