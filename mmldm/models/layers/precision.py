"""Layers that stay in float32 under autocast, where bfloat16 is too coarse."""

import torch
from torch import Tensor, nn


class Float32Conv2d(nn.Conv2d):
    """A convolution that computes in the precision of its weights.

    It is used for latents and images, for residual streams, and where compared
    gradients would overflow in float16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, h, w) -> (B, out, h, w), float32 under autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class Float32Linear(nn.Linear):
    """A linear layer that computes in the precision of its weights."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32 under autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))
