"""Halving and doubling of height and width."""

import torch.nn.functional as F
from torch import Tensor, nn


def halve(x: Tensor) -> Tensor:
    """Means of 2x2 pixels; (B, C, h, w) -> (B, C, ceil(h / 2), ceil(w / 2)).

    With an odd h or w, border pixels are averaged only with each other.
    """
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def double(x: Tensor) -> Tensor:
    """Nearest neighbours: (B, C, h, w) -> (B, C, 2h, 2w)."""
    return F.interpolate(x, scale_factor=2, mode='nearest')


class Downsample(nn.Module):
    """Strided convolution, (B, C, h, w) -> (B, C, h / 2, w / 2).

    Args:
        channels: Channels in and out, C.
        pad_end_only: Whether to pad only at the bottom and on the right, as
            the autoencoders of latent diffusion do. Their denoisers pad all
            sides, and an odd size is rounded up.
    """

    def __init__(self, channels: int, pad_end_only: bool = False) -> None:
        super().__init__()
        self.pad_end_only = pad_end_only
        padding = 0 if pad_end_only else 1
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        if self.pad_end_only:
            x = F.pad(x, (0, 1, 0, 1))
        return self.conv(x)


class Upsample(nn.Module):
    """:func:`double`, then convolution: (B, C, h, w) -> (B, C, 2h, 2w).

    Args:
        channels: Channels in and out, C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(double(x))
