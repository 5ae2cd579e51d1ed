"""A classifier of noisy latents."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmldm.registry import MODELS

from ..layers import (
    Downsample,
    ResBlock,
    SelfAttention2d,
    TimeEmbedding,
    group_norm,
)


@MODELS.register_module()
class LatentClassifier(BaseModule):
    """The downward half of a denoising UNet, with its output averaged.

    Dhariwal & Nichol 2021, section 4 and app. I (arXiv:2105.05233), with mean
    pooling instead of attention pooling, which allows latents of any size.

    Args:
        in_channels: Latent channels.
        num_classes: Number of classes.
        channels: Channels of the first level, multiple of 32, at least 64.
        channel_mults: Factor on ``channels`` at each level.
        num_res_blocks: Residual blocks per level.
        attn_factors: Downsampling factors of the levels with attention.
        num_heads: Attention heads, a divisor of every level's channels.
        dropout: Probability of dropout in the residual blocks.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        channels: int = 64,
        channel_mults: Sequence[int] = (1, 2, 4),
        num_res_blocks: int = 2,
        attn_factors: Sequence[int] = (2, 4),
        num_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.num_classes = num_classes
        embed_dim = 4 * channels
        self.time_embed = TimeEmbedding(channels, embed_dim)
        self.conv_in = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.layers = nn.ModuleList()
        width = channels
        for level, mult in enumerate(channel_mults):
            if level > 0:
                self.layers.append(Downsample(width))
            for _ in range(num_res_blocks):
                block = ResBlock(width, channels * mult, embed_dim, dropout)
                self.layers.append(block)
                width = channels * mult
                if 2**level in attn_factors:
                    self.layers.append(SelfAttention2d(width, num_heads))
        self.norm = group_norm(width, 1e-5)
        self.act = nn.SiLU()
        self.out = nn.Linear(width, num_classes)

    def forward(self, z_t: Tensor, t: Tensor) -> Tensor:
        """Logits (B, num_classes) of noisy latents.

        Args:
            z_t: Noisy latents, (B, in_channels, h, w).
            t: Times, (B,).
        """
        embedding = self.time_embed(t)
        x = self.conv_in(z_t)
        for layer in self.layers:
            takes_time = isinstance(layer, ResBlock)
            x = layer(x, embedding) if takes_time else layer(x)
        return self.out(self.act(self.norm(x)).mean((2, 3)))
