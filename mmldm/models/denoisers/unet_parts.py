"""Parts of the denoising UNet, and their options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from torch import Tensor, nn

from mmldm.structures import Condition
from mmldm.utils import check_choice, check_count, check_range

from ..layers import (
    Downsample,
    ResBlock,
    SelfAttention2d,
    SpatialTransformer,
    Upsample,
)


@dataclass(frozen=True)
class AttentionOptions:
    """Options of the UNet's attention.

    Args:
        head_channels: Channels of a head; 32 if neither this nor
            ``num_heads`` is given.
        num_heads: Heads of every level; an alternative to ``head_channels``.
        depth: Number of transformer blocks in a row, if there are context
            tokens.
    """

    head_channels: int | None = None
    num_heads: int | None = None
    depth: int = 1

    def __post_init__(self) -> None:
        for key in ('head_channels', 'num_heads', 'depth'):
            if getattr(self, key) is not None:
                check_count(f'denoiser.attention.{key}', getattr(self, key))
        if None not in (self.head_channels, self.num_heads):
            raise ValueError(
                f'denoiser.attention has head_channels={self.head_channels} '
                f'and num_heads={self.num_heads}: set one of them to None'
            )

    def heads(self, channels: int) -> int:
        """Attention heads of a level.

        Raises:
            ValueError: If the heads do not divide the level's channels.
        """
        key = 'head_channels' if self.num_heads is None else 'num_heads'
        value = getattr(self, key) or 32
        if channels % value:
            raise ValueError(
                f'{key}={value} does not divide the {channels} channels of '
                f'a level: set denoiser.attention.{key} to a divisor'
            )
        return value if key == 'num_heads' else channels // value


@dataclass(frozen=True)
class ResBlockOptions:
    """Options of the UNet's residual blocks; see :class:`ResBlock`.

    Args:
        dropout: Probability of dropout before the second convolution.
        scale_shift: Whether the embedding scales and shifts, instead of
            being added.
        updown: Whether residual blocks halve and double the resolution,
            instead of convolutions.
    """

    dropout: float = 0.0
    scale_shift: bool = False
    updown: bool = False

    def __post_init__(self) -> None:
        check_range('denoiser.res_block.dropout', self.dropout, 0, 1)
        for key in ('scale_shift', 'updown'):
            if not isinstance(getattr(self, key), bool):
                raise ValueError(
                    f'denoiser.res_block.{key}={getattr(self, key)!r} must '
                    'be True or False'
                )


Options = TypeVar('Options', AttentionOptions, ResBlockOptions)


def read_options(
    kind: type[Options], name: str, given: Mapping[str, object] | None
) -> Options:
    """The options of a config; None for all defaults.

    Raises:
        ValueError: If a key is unknown or a value is invalid.
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise ValueError(f'{name}={given!r} must be a dict of options')
    for key in given:
        check_choice(f'{name}: key', key, [f.name for f in fields(kind)])
    return kind(**given)


class UNetBlock(nn.Module):
    """A residual block, and attention after it if there is any.

    Args:
        res: Residual block, which gets the time embedding.
        attention: Attention over positions, or over positions and tokens;
            None for none.
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
        blocks: Blocks in the order of their use.
        resample: Halves or doubles the resolution after the blocks; None at
            the last level of a side.
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
