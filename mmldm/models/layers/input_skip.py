"""A skip connection around a network's norms."""

import torch
from torch import Tensor, nn

from .precision import Float32Linear
from .resnet import zero_init


class InputSkip(nn.Module):
    """Adds channels of the input, mixed per position by an embedding.

    Group norms remove an image's mean and contrast, and a network can hardly
    pass its input on. All parts that are linear in the input, noise and
    spatial conditions alike, take this way around the norms. With constants of
    the noise schedule instead of learned ones, and for the noisy input alone,
    it is the skip of Karras et al. 2022 (arXiv:2206.00364), eq. 7. It starts
    at 0.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        embed_dim: Channels of the embedding.
    """

    def __init__(
        self, in_channels: int, out_channels: int, embed_dim: int
    ) -> None:
        super().__init__()
        self.shape = out_channels, in_channels
        self.matrix = nn.Sequential(
            nn.SiLU(),
            zero_init(Float32Linear(embed_dim, out_channels * in_channels)),
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(B, in, h, w), (B, embed_dim) -> (B, out, h, w)."""
        matrix = self.matrix(embedding).unflatten(1, self.shape)
        with torch.autocast(x.device.type, enabled=False):
            mixed = matrix @ x.to(matrix.dtype).flatten(2)
        return mixed.unflatten(2, x.shape[2:])
