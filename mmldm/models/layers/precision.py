"""Layers that autocast leaves alone, where 8 bits of mantissa are too few."""

import torch
from torch import Tensor, nn


class Float32Conv2d(nn.Conv2d):
    """A convolution in the precision of its weights.

    For latents and images, for what a residual stream is made of, and where
    gradients are compared that overflow in float16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, h, w) -> (B, out, h, w), float32 under autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class Float32Linear(nn.Linear):
    """A linear layer in the precision of its weights."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32 under autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))
