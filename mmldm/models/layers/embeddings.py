"""Embeddings of the diffusion time."""

import math

import torch
from torch import Tensor, nn

from .precision import Float32Linear


def sinusoidal_embedding(t: Tensor, dim: int) -> Tensor:
    """Cosines, then sines, of t at dim / 2 frequencies from 1 to 1e-4.

    Vaswani et al. 2017, section 3.5, in the order of Dhariwal & Nichol 2021.

    Args:
        t: Times, fractions included, (B,).
        dim: Even number of channels.

    Returns:
        float32, (B, dim).
    """
    half = dim // 2
    exponent = torch.arange(half, device=t.device) / half
    angles = t.float()[:, None] * torch.exp(-math.log(1e4) * exponent)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimeEmbedding(nn.Module):
    """Two-layer MLP on the sinusoidal embedding, (B,) -> (B, embed_dim).

    Args:
        channels: Channels of the sinusoidal embedding, even.
        embed_dim: Channels of the result.
    """

    def __init__(self, channels: int, embed_dim: int) -> None:
        super().__init__()
        self.channels = channels
        self.mlp = nn.Sequential(
            Float32Linear(channels, embed_dim),
            nn.SiLU(),
            Float32Linear(embed_dim, embed_dim),
        )

    def forward(self, t: Tensor) -> Tensor:
        embedding = sinusoidal_embedding(t, self.channels)
        return self.mlp(embedding)
