"""The denoising UNet of latent diffusion."""

import warnings
from collections.abc import Callable, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmldm.registry import MODELS
from mmldm.structures import Condition
from mmldm.utils import check_count
from mmldm.utils.typing import ConfigType

from ..layers import (
    Bypass,
    Downsample,
    Float32Conv2d,
    Float32Linear,
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
from .unet_parts import (
    AttentionOptions,
    ResBlockOptions,
    UNetBlock,
    UNetLevel,
    read_options,
)


@MODELS.register_module()
class DenoisingUNet(BaseModule):
    """UNet with attention over positions and over condition tokens.

    Dhariwal & Nichol 2021, with the cross-attention of Rombach et al. 2022,
    section 3.3. Latents of any height and width.

    Args:
        in_channels: Latent channels and those of a spatial condition.
        out_channels: Latent channels.
        channels: Channels of the first level, multiple of 32.
        channel_mults: Factor on ``channels`` at each level.
        num_res_blocks: Residual blocks a level on the way down; one more on
            the way up.
        attn_factors: Downsampling factors at which there is attention; those
            that no level has count nothing, the middle always has it.
        attention: See :class:`AttentionOptions`.
        res_block: See :class:`ResBlockOptions`.
        context_dim: Channels of the condition's tokens; None for none.
        vector_dim: Channels of the condition's vector; None for none.
        checkpointing: Compute each block again in the backward pass in
            place of keeping what it held: less memory, a third more time
            (Chen et al. 2016, arXiv:1604.06174).
        channels_last: Keep a position's channels together in memory, which
            a GPU's convolutions in low precision want. The result is the
            same; on a CPU a small network takes up to 1.5 times as long.
        bypass: Add the input's channels, mixed as the embedding of time and
            vector says, to the output; see :class:`Bypass`.
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
        bypass: bool = False,
    ) -> None:
        super().__init__()
        check_count('denoiser.channels', channels)
        check_count('denoiser.num_res_blocks', num_res_blocks)
        for mult in channel_mults:
            check_count('denoiser.channel_mults: factor', mult)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.context_dim = context_dim
        self.vector_dim = vector_dim
        self.checkpointing = checkpointing
        self.channels_last = channels_last
        self._attention_options = read_options(
            AttentionOptions, 'denoiser.attention', attention
        )
        self._res_block_options = read_options(
            ResBlockOptions, 'denoiser.res_block', res_block
        )
        self._attn_factors = attn_factors
        self._embed_dim = 4 * channels

        self.time_embed = TimeEmbedding(channels, self._embed_dim)
        if vector_dim is not None:
            self.vector_embed = Float32Linear(vector_dim, self._embed_dim)
        self.conv_in = Float32Conv2d(in_channels, channels, 3, padding=1)
        widths = [channels * mult for mult in channel_mults]
        _warn_of_cancelled_embedding(widths, self._res_block_options)
        skips = self._build_down(channels, widths, num_res_blocks)
        bottom = widths[-1]
        self.mid = nn.ModuleList(
            [
                UNetBlock(self._res(bottom, bottom), self._attention(bottom)),
                UNetBlock(self._res(bottom, bottom)),
            ]
        )
        self._build_up(skips, widths, num_res_blocks)
        self.out = nn.Sequential(
            group_norm(widths[0], 1e-5),
            nn.SiLU(),
            zero_init(Float32Conv2d(widths[0], out_channels, 3, padding=1)),
        )
        self.bypass = None
        if bypass:
            self.bypass = Bypass(in_channels, out_channels, self._embed_dim)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def forward(self, z_t: Tensor, t: Tensor, cond: Condition) -> Tensor:
        """The network's output, (B, out_channels, h, w).

        Args:
            z_t: Noisy latents, (B, C, h, w); with the channels of
                ``cond.spatial`` in_channels in all.
            t: Times, (B,).
            cond: What the latents should show.

        Raises:
            ValueError: If the condition is not what the network was built
                for.
        """
        self._check(z_t, cond)
        embedding = self.time_embed(t)
        if self.vector_dim is not None:
            embedding = embedding + self.vector_embed(cond.vector)
        if cond.spatial is not None:
            z_t = torch.cat([z_t, cond.spatial], dim=1)
        if self.channels_last:
            z_t = z_t.contiguous(memory_format=torch.channels_last)
        x = self.conv_in(z_t)
        skips = [x]
        for level in self.down:
            for block in level.blocks:
                x = self._run(block, x, embedding, cond)
                skips.append(x)
            if level.resample is not None:
                x = self._run(level.resampled, x, embedding)
                skips.append(x)
        for block in self.mid:
            x = self._run(block, x, embedding, cond)
        for level in self.up:
            for block in level.blocks:
                x = torch.cat([x, skips.pop()], dim=1)
                x = self._run(block, x, embedding, cond)
            if level.resample is not None:
                x = self._run(level.resampled, x, embedding)
                # An odd height or width was rounded up on the way down.
                height, width = skips[-1].shape[2:]
                x = x[..., :height, :width]
        x = self.out(x)
        if self.bypass is not None:
            x = x + self.bypass(z_t, embedding)
        return x

    def _check(self, z_t: Tensor, cond: Condition) -> None:
        """Raise where a slot is filled that is not read, or the reverse."""
        for slot, key in (('vector', 'vector_dim'), ('tokens', 'context_dim')):
            filled = getattr(cond, slot)
            given = None if filled is None else filled.shape[-1]
            if given != getattr(self, key):
                raise ValueError(
                    f'denoiser.{key}={getattr(self, key)}, but the '
                    f'condition has {slot} of dimension {given}: set '
                    f'denoiser.{key}={given}'
                )
        spatial = 0 if cond.spatial is None else cond.spatial.shape[1]
        if z_t.shape[1] + spatial != self.in_channels:
            raise ValueError(
                f'denoiser.in_channels={self.in_channels}, but latents have '
                f'{z_t.shape[1]} channels and the spatial condition {spatial}'
                f': set denoiser.in_channels={z_t.shape[1] + spatial}'
            )

    def heads(self, channels: int) -> int:
        """Attention heads of a level with so many channels."""
        return self._attention_options.heads(channels)

    def _run(self, block: Callable[..., Tensor], *args: object) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, *args, use_reentrant=False)
        return block(*args)

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

    def _build_up(
        self, skips: list[int], widths: Sequence[int], num_res_blocks: int
    ) -> None:
        """Build ``self.up``, which takes the skips from the end."""
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


def _warn_of_cancelled_embedding(
    widths: Sequence[int], options: ResBlockOptions
) -> None:
    """Norm groups of one channel take away what the time embedding adds."""
    if NUM_GROUPS in widths and not options.scale_shift:
        warnings.warn(
            f'level {widths.index(NUM_GROUPS)} of the denoiser has '
            f'{NUM_GROUPS} channels, as many as norm groups, which cancels '
            'the time embedding there: raise denoiser.channels, or set '
            'res_block=dict(scale_shift=True)',
            stacklevel=3,
        )
