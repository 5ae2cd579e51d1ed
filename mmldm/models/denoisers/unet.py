"""The denoising UNet of latent diffusion."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition
from mmldm.utils import check_count
from mmldm.utils.typing import ConfigType

from ..layers import (
    Downsample,
    Float32Conv2d,
    Float32Linear,
    InputSkip,
    ResBlock,
    SelfAttention2d,
    SpatialTransformer,
    TimeEmbedding,
    Upsample,
    double,
    group_norm,
    halve,
    zero_init,
)
from ..layers.resnet import NUM_GROUPS
from .denoiser import Denoiser
from .unet_parts import (
    AttentionOptions,
    ResBlockOptions,
    UNetBlock,
    UNetLevel,
    read_options,
)


@MODELS.register_module()
class DenoisingUNet(Denoiser):
    """UNet with attention over positions and over condition tokens.

    It is the UNet of Dhariwal & Nichol 2021 with the cross-attention of
    Rombach et al. 2022, section 3.3. Latents may have any height and width.

    Args:
        in_channels: Channels of latents and spatial condition together.
        out_channels: Latent channels, or twice as many with variances.
        channels: Channels of the first level, multiple of 32.
        channel_mults: Factor on ``channels`` at each level.
        num_res_blocks: Residual blocks per level on the way down; there is
            one more on the way up.
        attn_factors: Downsampling factors of the levels with attention;
            other factors are ignored. The middle always has attention.
        attention: See :class:`AttentionOptions`.
        res_block: See :class:`ResBlockOptions`.
        context_dim: Channels of the condition's tokens; None without tokens.
        vector_dim: Channels of the condition's vector; None without vector.
        checkpointing: See :class:`Denoiser`.
        channels_last: Whether to store the channels of a position together,
            which is faster on GPUs in low precision. The result is the same.
            On a CPU a small network takes up to 1.5 times as long.
        input_skip: Whether to add the input's channels to the output, mixed
            by the embedding of time and vector; see :class:`InputSkip`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int = 224,
        channel_mults: Sequence[int] = (1, 2, 3, 4),
        num_res_blocks: int = 2,
        attn_factors: Sequence[int] = (2, 4, 8),
        attention: ConfigType | None = None,
        res_block: ConfigType | None = None,
        context_dim: int | None = None,
        vector_dim: int | None = None,
        checkpointing: bool = False,
        channels_last: bool = False,
        input_skip: bool = False,
    ) -> None:
        super().__init__(
            in_channels, out_channels, context_dim, vector_dim, checkpointing
        )
        _check_counts(channels, channel_mults, num_res_blocks)
        self.channels_last = channels_last
        self._read_options(attention, res_block)
        self._attn_factors = attn_factors
        self._embed_dim = 4 * channels
        self.time_embed = TimeEmbedding(channels, self._embed_dim)
        if vector_dim is not None:
            self.vector_embed = Float32Linear(vector_dim, self._embed_dim)
        self.conv_in = Float32Conv2d(in_channels, channels, 3, padding=1)
        widths = [channels * mult for mult in channel_mults]
        _warn_of_cancelled_embedding(widths, self._res_block_options)
        skips = self._build_down(channels, widths, num_res_blocks)
        self.mid = self._middle(widths[-1])
        self._build_up(skips, widths, num_res_blocks)
        self.out = _output(widths[0], out_channels)
        self.input_skip = None
        if input_skip:
            ends = in_channels, out_channels
            self.input_skip = InputSkip(*ends, self._embed_dim)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def _read_options(
        self, attention: ConfigType | None, res_block: ConfigType | None
    ) -> None:
        self._attention_options = read_options(
            AttentionOptions, 'denoiser.attention', attention
        )
        self._res_block_options = read_options(
            ResBlockOptions, 'denoiser.res_block', res_block
        )

    def denoise(self, x: Tensor, t: Tensor, cond: Condition) -> Tensor:
        """See :class:`Denoiser`."""
        embedding = self.time_embed(t)
        if self.vector_dim is not None:
            embedding = embedding + self.vector_embed(cond.vector)
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        given, x = x, self.conv_in(x)
        skips = [x]
        for level in self.down:
            for block in level.blocks:
                x = self.run_block(block, x, embedding, cond)
                skips.append(x)
            if level.resample is not None:
                x = self.run_block(level.resampled, x, embedding)
                skips.append(x)
        for block in self.mid:
            x = self.run_block(block, x, embedding, cond)
        for level in self.up:
            for block in level.blocks:
                x = torch.cat([x, skips.pop()], dim=1)
                x = self.run_block(block, x, embedding, cond)
            if level.resample is not None:
                x = self.run_block(level.resampled, x, embedding)
                # An odd height or width was rounded up on the way down.
                height, width = skips[-1].shape[2:]
                x = x[..., :height, :width]
        x = self.out(x)
        if self.input_skip is not None:
            x = x + self.input_skip(given, embedding)
        return x

    @property
    def shard_units(self) -> list[nn.Module]:
        """See :class:`Denoiser`."""
        levels = [*self.down, *self.up]
        resamples = [level.resample for level in levels]
        return [
            *(block for level in levels for block in level.blocks),
            *(module for module in resamples if module is not None),
            *self.mid,
        ]

    def heads(self, channels: int) -> int:
        """Attention heads of a level with this number of channels."""
        return self._attention_options.heads(channels)

    def _build_down(
        self, channels: int, widths: Sequence[int], num_res_blocks: int
    ) -> list[int]:
        """Build ``self.down``; return the channels of every skip."""
        self.down = nn.ModuleList()
        skips = [channels]
        for i, width in enumerate(widths):
            blocks = []
            for _ in range(num_res_blocks):
                blocks.append(self._block(skips[-1], width, 2**i))
                skips.append(width)
            resample = None
            if i < len(widths) - 1:
                resample = self._downsample(width)
                skips.append(width)
            self.down.append(UNetLevel(blocks, resample))
        return skips

    def _middle(self, channels: int) -> nn.ModuleList:
        return nn.ModuleList(
            [
                UNetBlock(
                    self._res(channels, channels), self._attention(channels)
                ),
                UNetBlock(self._res(channels, channels)),
            ]
        )

    def _build_up(
        self, skips: list[int], widths: Sequence[int], num_res_blocks: int
    ) -> None:
        """Build ``self.up``, which uses the skips in reverse order."""
        self.up = nn.ModuleList()
        skips, current = list(skips), widths[-1]
        for i, width in reversed(list(enumerate(widths))):
            blocks = []
            for _ in range(num_res_blocks + 1):
                blocks.append(self._block(current + skips.pop(), width, 2**i))
                current = width
            resample = self._upsample(width) if i > 0 else None
            self.up.append(UNetLevel(blocks, resample))

    def _res(
        self,
        in_channels: int,
        out_channels: int,
        resample: Callable[[Tensor], Tensor] | None = None,
    ) -> ResBlock:
        return ResBlock(
            in_channels,
            out_channels,
            self._embed_dim,
            self._res_block_options.dropout,
            scale_shift=self._res_block_options.scale_shift,
            resample=resample,
        )

    def _downsample(self, channels: int) -> Downsample | ResBlock:
        if self._res_block_options.updown:
            return self._res(channels, channels, halve)
        return Downsample(channels)

    def _upsample(self, channels: int) -> Upsample | ResBlock:
        if self._res_block_options.updown:
            return self._res(channels, channels, double)
        return Upsample(channels)

    def _attention(
        self, channels: int
    ) -> SelfAttention2d | SpatialTransformer:
        heads = self.heads(channels)
        if self.context_dim is None:
            return SelfAttention2d(channels, heads)
        return SpatialTransformer(
            channels, self.context_dim, heads, self._attention_options.depth
        )

    def _block(
        self, in_channels: int, out_channels: int, factor: int
    ) -> UNetBlock:
        attends = factor in self._attn_factors
        return UNetBlock(
            self._res(in_channels, out_channels),
            self._attention(out_channels) if attends else None,
        )


def _check_counts(
    channels: int, channel_mults: Sequence[int], num_res_blocks: int
) -> None:
    check_count('denoiser.channels', channels)
    check_count('denoiser.num_res_blocks', num_res_blocks)
    for mult in channel_mults:
        check_count('denoiser.channel_mults: factor', mult)


def _output(channels: int, out_channels: int) -> nn.Sequential:
    """The last layers, which begin as zero."""
    return nn.Sequential(
        group_norm(channels, 1e-5),
        nn.SiLU(),
        zero_init(Float32Conv2d(channels, out_channels, 3, padding=1)),
    )


def _warn_of_cancelled_embedding(
    widths: Sequence[int], options: ResBlockOptions
) -> None:
    """Warn if a level has norm groups of one channel.

    They cancel the time embedding there.
    """
    if NUM_GROUPS in widths and not options.scale_shift:
        warnings.warn(
            f'level {widths.index(NUM_GROUPS)} of the denoiser has '
            f'{NUM_GROUPS} channels, as many as norm groups, which cancels '
            'the time embedding there: raise denoiser.channels, or set '
            'res_block=dict(scale_shift=True)',
            stacklevel=3,
        )
