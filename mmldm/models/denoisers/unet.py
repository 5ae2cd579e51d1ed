"""The denoising UNet of latent diffusion."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition

from ..layers import (
    Downsample,
    ResBlock,
    SelfAttention2d,
    SpatialTransformer,
    TimeEmbedding,
    Upsample,
    group_norm,
    zero_init,
)


class UNetBlock(nn.Module):
    """A residual block, and attention after it where there is any.

    Args:
        res: Takes the time embedding.
        attention: Over positions alone, over tokens too, or None.
    """

    def __init__(
        self,
        res: ResBlock,
        attention: SelfAttention2d | SpatialTransformer | None,
    ) -> None:
        super().__init__()
        self.res = res
        self.attention = attention

    def forward(self, x: Tensor, embedding: Tensor, cond: Condition) -> Tensor:
        x = self.res(x, embedding)
        if isinstance(self.attention, SpatialTransformer):
            return self.attention(x, cond.tokens, cond.tokens_mask)
        return x if self.attention is None else self.attention(x)


@MODELS.register_module()
class DenoisingUNet(BaseModule):
    """UNet with attention over positions and over condition tokens.

    Dhariwal & Nichol 2021, with the cross-attention of Rombach et al. 2022,
    section 3.3. Any latent size that 2^(levels - 1) divides.

    Args:
        in_channels: Latent channels and those of a spatial condition.
        out_channels: Latent channels.
        channels: Channels of the first level, multiple of 32.
        channel_mults: Factor on ``channels`` at each level.
        num_res_blocks: Residual blocks a level on the way down; one more on
            the way up.
        attn_factors: Downsampling factors at which there is attention; the
            middle always has it.
        head_channels: Channels of an attention head.
        context_dim: Channels of the condition's tokens; None for none.
        vector_dim: Channels of the condition's vector; None for none.
        dropout: In the residual blocks.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int = 224,
        channel_mults: Sequence[int] = (1, 2, 3, 4),
        num_res_blocks: int = 2,
        attn_factors: Sequence[int] = (2, 4, 8),
        head_channels: int = 32,
        context_dim: int | None = None,
        vector_dim: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.context_dim = context_dim
        self.vector_dim = vector_dim
        self.factor = 2 ** (len(channel_mults) - 1)
        self._attn_factors = attn_factors
        self._head_channels = head_channels
        self._dropout = dropout
        self._embed_dim = 4 * channels

        self.time_embed = TimeEmbedding(channels, self._embed_dim)
        if vector_dim is not None:
            self.vector_embed = nn.Linear(vector_dim, self._embed_dim)
        self.conv_in = nn.Conv2d(in_channels, channels, 3, padding=1)
        widths = [channels * mult for mult in channel_mults]
        skips = self._build_down(channels, widths, num_res_blocks)
        self.mid = nn.ModuleList(
            [
                UNetBlock(
                    self._res(widths[-1], widths[-1]),
                    self._attention(widths[-1]),
                ),
                UNetBlock(self._res(widths[-1], widths[-1]), None),
            ]
        )
        self._build_up(skips, widths, num_res_blocks)
        self.out = nn.Sequential(
            group_norm(channels * channel_mults[0], 1e-5),
            nn.SiLU(),
            zero_init(
                nn.Conv2d(
                    channels * channel_mults[0], out_channels, 3, padding=1
                )
            ),
        )

    def forward(self, z_t: Tensor, t: Tensor, cond: Condition) -> Tensor:
        """The network's output, (B, out_channels, h, w).

        Args:
            z_t: Noisy latents, (B, C, h, w); with the channels of
                ``cond.spatial`` in_channels in all.
            t: Times, (B,).
            cond: What the latents should show.
        """
        embedding = self.time_embed(t)
        if self.vector_dim is not None:
            embedding = embedding + self.vector_embed(cond.vector)
        if cond.spatial is not None:
            z_t = torch.cat([z_t, cond.spatial], dim=1)
        x = self.conv_in(z_t)
        skips = [x]
        for layer in self.down:
            x = (
                layer(x, embedding, cond)
                if isinstance(layer, UNetBlock)
                else layer(x)
            )
            skips.append(x)
        for block in self.mid:
            x = block(x, embedding, cond)
        for layer in self.up:
            if isinstance(layer, UNetBlock):
                x = torch.cat([x, skips.pop()], dim=1)
                x = layer(x, embedding, cond)
            else:
                x = layer(x)
        return self.out(x)

    def _build_down(
        self, channels: int, widths: Sequence[int], num_res_blocks: int
    ) -> list[int]:
        """Build ``self.down``; return the channels of every skip."""
        self.down = nn.ModuleList()
        skips = [channels]
        for level, width in enumerate(widths):
            for _ in range(num_res_blocks):
                self.down.append(self._block(skips[-1], width, 2**level))
                skips.append(width)
            if level < len(widths) - 1:
                self.down.append(Downsample(width))
                skips.append(width)
        return skips

    def _build_up(
        self, skips: list[int], widths: Sequence[int], num_res_blocks: int
    ) -> None:
        """Build ``self.up``, which takes the skips from the end."""
        self.up = nn.ModuleList()
        skips, current = list(skips), widths[-1]
        for level, width in reversed(list(enumerate(widths))):
            for _ in range(num_res_blocks + 1):
                self.up.append(
                    self._block(current + skips.pop(), width, 2**level)
                )
                current = width
            if level > 0:
                self.up.append(Upsample(width))

    def _res(self, in_channels: int, out_channels: int) -> ResBlock:
        return ResBlock(
            in_channels, out_channels, self._embed_dim, self._dropout
        )

    def _attention(
        self, channels: int
    ) -> SelfAttention2d | SpatialTransformer:
        if self.context_dim is None:
            return SelfAttention2d(channels, self._head_channels)
        return SpatialTransformer(
            channels, self.context_dim, self._head_channels
        )

    def _block(
        self, in_channels: int, out_channels: int, factor: int
    ) -> UNetBlock:
        attends = factor in self._attn_factors
        return UNetBlock(
            self._res(in_channels, out_channels),
            self._attention(out_channels) if attends else None,
        )
