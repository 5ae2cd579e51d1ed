"""The convolutional encoder and decoder of every first stage."""

from collections.abc import Sequence

from torch import nn

from ..layers import (
    Downsample,
    ResBlock,
    SelfAttention2d,
    Upsample,
    group_norm,
)

EPS = 1e-6


def _res_block(in_channels: int, out_channels: int) -> ResBlock:
    return ResBlock(in_channels, out_channels, eps=EPS)


def _middle(channels: int, attention: bool) -> nn.Sequential:
    layers = [_res_block(channels, channels), _res_block(channels, channels)]
    if attention:
        layers.insert(1, SelfAttention2d(channels, eps=EPS, zero_out=False))
    return nn.Sequential(*layers)


def _head(channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        group_norm(channels, EPS),
        nn.SiLU(),
        nn.Conv2d(channels, out_channels, 3, padding=1),
    )


class Encoder(nn.Sequential):
    """Images to feature maps: (B, 3, H, W) -> (B, out, H / f, W / f).

    f is 2 to the number of levels less one.

    Args:
        out_channels: Channels of the result.
        channels: Channels of the first level, multiple of 32.
        channel_mults: Factor on ``channels`` at each level.
        num_res_blocks: Residual blocks a level.
        mid_attention: Attention at the lowest resolution.
    """

    def __init__(
        self,
        out_channels: int,
        channels: int,
        channel_mults: Sequence[int],
        num_res_blocks: int,
        mid_attention: bool,
    ) -> None:
        widths = [channels * mult for mult in channel_mults]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1)]
        current = channels
        for level, width in enumerate(widths):
            if level > 0:
                layers.append(Downsample(current, pad_end_only=True))
            for _ in range(num_res_blocks):
                layers.append(_res_block(current, width))
                current = width
        super().__init__(
            *layers,
            _middle(current, mid_attention),
            _head(current, out_channels),
        )


class Decoder(nn.Sequential):
    """Feature maps to images: (B, in, h, w) -> (B, 3, f h, f w).

    Args:
        in_channels: Channels of the feature map.
        channels: As of :class:`Encoder`, which it mirrors with one residual
            block more a level.
        channel_mults: As of :class:`Encoder`.
        num_res_blocks: As of :class:`Encoder`.
        mid_attention: As of :class:`Encoder`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        channel_mults: Sequence[int],
        num_res_blocks: int,
        mid_attention: bool,
    ) -> None:
        widths = [channels * mult for mult in reversed(channel_mults)]
        current = widths[0]
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, current, 3, padding=1),
            _middle(current, mid_attention),
        ]
        for level, width in enumerate(widths):
            if level > 0:
                layers.append(Upsample(current))
            for _ in range(num_res_blocks + 1):
                layers.append(_res_block(current, width))
                current = width
        super().__init__(*layers, _head(current, 3))
