"""What the denoising UNet is made of, and how that is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mmldm.structures import Condition

from ..layers import (
    Downsample,
    ResBlock,
    SelfAttention2d,
    SpatialTransformer,
    Upsample,
)


@dataclass(frozen=True)
class AttentionOptions:
    """How attention is built; either argument gives the heads.

    Args:
        head_channels: Channels of a head.
        num_heads: Heads of every level.
        depth: Transformer blocks in a row, where there are context tokens.
    """

    head_channels: int | None = None
    num_heads: int | None = None
    depth: int = 1

    def __post_init__(self) -> None:
        if (self.head_channels is None) == (self.num_heads is None):
            raise ValueError(
                f'denoiser.attention has head_channels={self.head_channels} '
                f'and num_heads={self.num_heads}: give one of them, and None '
                'for the other'
            )

    def heads(self, channels: int) -> int:
        """Heads of a level.

        Raises:
            ValueError: If they do not share its channels evenly.
        """
        key = 'num_heads' if self.head_channels is None else 'head_channels'
        value = getattr(self, key)
        if channels % value:
            raise ValueError(
                f'{key}={value} does not divide the {channels} channels of '
                f'a level: set denoiser.attention.{key} to a divisor'
            )
        return value if key == 'num_heads' else channels // value


@dataclass(frozen=True)
class ResBlockOptions:
    """How residual blocks are built; see :class:`ResBlock`.

    Args:
        dropout: Probability of dropping before the second convolution.
        scale_shift: The embedding scales and shifts.
        updown: Residual blocks halve and double the resolution; without it
            convolutions do.
    """

    dropout: float = 0.0
    scale_shift: bool = False
    updown: bool = False


class UNetBlock(nn.Module):
    """A residual block, and attention after it where there is any.

    Args:
        res: Takes the time embedding.
        attention: Over positions alone, over tokens too, or None.
    """

    def __init__(
        self,
        res: ResBlock,
        attention: SelfAttention2d | SpatialTransformer | None = None,
    ) -> None:
        super().__init__()
        self.res = res
        self.attention = attention

    def forward(self, x: Tensor, embedding: Tensor, cond: Condition) -> Tensor:
        x = self.res(x, embedding)
        if isinstance(self.attention, SpatialTransformer):
            return self.attention(x, cond.tokens, cond.tokens_mask)
        return x if self.attention is None else self.attention(x)


class UNetLevel(nn.Module):
    """The blocks of one resolution on one side, and the way to the next.

    Args:
        blocks: In the order of their use.
        resample: Halves or doubles the resolution after them; None at the
            last level of a side.
    """

    def __init__(
        self,
        blocks: Sequence[UNetBlock],
        resample: Downsample | Upsample | ResBlock | None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.resample = resample

    def resampled(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The feature map at the next level's resolution."""
        if isinstance(self.resample, ResBlock):
            return self.resample(x, embedding)
        return self.resample(x)
