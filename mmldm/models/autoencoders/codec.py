"""The convolutional encoder and decoder of the first stages."""

from collections.abc import Sequence

from torch import nn

from ..layers import (
    Downsample,
    Float32Conv2d,
    ResBlock,
    SelfAttention2d,
    Upsample,
    group_norm,
)

EPS = 1e-6


class _Blocks:
    """Builds the blocks of one codec, with the same normalisation."""

    def __init__(self, num_groups: int) -> None:
        self.norm = dict(eps=EPS, num_groups=num_groups)

    def attention(self, channels: int) -> SelfAttention2d:
        return SelfAttention2d(channels, zero_out=False, **self.norm)

    def middle(self, channels: int, attention: bool) -> nn.Sequential:
        """Residual blocks at the lowest resolution, with attention between."""
        layers = [ResBlock(channels, channels, **self.norm) for _ in range(2)]
        if attention:
            layers.insert(1, self.attention(channels))
        return nn.Sequential(*layers)

    def level(
        self,
        in_channels: int,
        out_channels: int,
        num_blocks: int,
        attention: bool,
    ) -> list[nn.Module]:
        """Residual blocks of one resolution, each followed by attention."""
        layers: list[nn.Module] = []
        for i in range(num_blocks):
            width = out_channels if i else in_channels
            layers.append(ResBlock(width, out_channels, **self.norm))
            if attention:
                layers.append(self.attention(out_channels))
        return layers

    def head(self, channels: int, out_channels: int) -> nn.Sequential:
        """The last layers, from feature maps to latents or images."""
        return nn.Sequential(
            group_norm(channels, **self.norm),
            nn.SiLU(),
            Float32Conv2d(channels, out_channels, 3, padding=1),
        )


class Encoder(nn.Sequential):
    """Images to feature maps: (B, 3, H, W) -> (B, out, H / f, W / f).

    f = 2^(number of levels - 1).

    Args:
        out_channels: Channels of the result.
        channels: Channels of the first level, multiple of ``norm_groups``.
        channel_mults: Factor on ``channels`` at each level.
        num_res_blocks: Residual blocks per level.
        attn_factors: Downsampling factors (1, 2, 4 ...) of the levels whose
            residual blocks are followed by attention.
        mid_attention: Attention in the middle, at the lowest resolution.
        norm_groups: Groups of every normalisation.
    """

    def __init__(
        self,
        out_channels: int,
        channels: int,
        channel_mults: Sequence[int],
        num_res_blocks: int,
        attn_factors: Sequence[int],
        mid_attention: bool,
        norm_groups: int,
    ) -> None:
        blocks = _Blocks(norm_groups)
        widths = [channels * mult for mult in channel_mults]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1)]
        current = channels
        for level, width in enumerate(widths):
            if level > 0:
                layers.append(Downsample(current, pad_end_only=True))
            attention = 2**level in attn_factors
            layers += blocks.level(current, width, num_res_blocks, attention)
            current = width
        super().__init__(
            *layers,
            blocks.middle(current, mid_attention),
            blocks.head(current, out_channels),
        )


class Decoder(nn.Sequential):
    """Feature maps to images: (B, in, h, w) -> (B, 3, f h, f w).

    Args:
        in_channels: Channels of the feature map.
        channels: See :class:`Encoder`. The decoder mirrors it, with one more
            residual block per level.
        channel_mults: See :class:`Encoder`.
        num_res_blocks: See :class:`Encoder`.
        attn_factors: See :class:`Encoder`.
        mid_attention: See :class:`Encoder`.
        norm_groups: See :class:`Encoder`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        channel_mults: Sequence[int],
        num_res_blocks: int,
        attn_factors: Sequence[int],
        mid_attention: bool,
        norm_groups: int,
    ) -> None:
        blocks = _Blocks(norm_groups)
        widths = [channels * mult for mult in channel_mults]
        current = widths[-1]
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, current, 3, padding=1),
            blocks.middle(current, mid_attention),
        ]
        for level, width in reversed([*enumerate(widths)]):
            if level < len(widths) - 1:
                layers.append(Upsample(current))
            attention = 2**level in attn_factors
            layers += blocks.level(
                current, width, num_res_blocks + 1, attention
            )
            current = width
        super().__init__(*layers, blocks.head(current, 3))
