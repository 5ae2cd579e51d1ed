"""The diffusion transformer, a denoiser that works on patches."""

from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition
from mmldm.utils import check_choice, check_count, check_divisible

from ..layers import (
    FEED_FORWARDS,
    AdaptiveBlock,
    AdaptiveOutput,
    Float32Linear,
    TimeEmbedding,
    patchify,
    rotary_turns,
    sine_positions,
    unpatchify,
    xavier_init,
)
from .denoiser import Denoiser

# Channels of the sinusoidal time embedding in all published models.
TIME_CHANNELS = 256


@MODELS.register_module()
class DiffusionTransformer(Denoiser):
    """Transformer over patches of a latent, modulated by time and vector.

    This is DiT of Peebles & Xie 2023 (arXiv:2212.09748), which SiT (Ma et al.
    2024, arXiv:2401.08740) uses too; the defaults are XL/2 of both. Latents
    may have any height and width that are multiples of ``patch_size``:
    positions are computed for each size.

    Args:
        in_channels: Channels of latents and spatial condition together.
        out_channels: Latent channels, or twice as many with variances.
        channels: Channels of a token, a multiple of 4.
        patch_size: Side of a patch in latent positions.
        num_layers: Number of blocks.
        num_heads: Attention heads, a divisor of ``channels``.
        positions: 'sine', added to the tokens, or 'rotary', which turns
            queries and keys (Su et al. 2021, arXiv:2104.09864).
        feed_forward: 'gelu', or 'swiglu' (Shazeer 2020, arXiv:2002.05202).
        qk_norm: Normalise queries and keys (Dehghani et al. 2023,
            arXiv:2302.05442), which keeps large models from diverging.
        context_dim: Channels of the condition's tokens; None without tokens
            and cross-attention.
        vector_dim: Channels of the condition's vector; None without vector.
            It is added to the time embedding, after a linear layer unless it
            has ``channels`` channels.
        checkpointing: See :class:`Denoiser`.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int = 1152,
        patch_size: int = 2,
        num_layers: int = 28,
        num_heads: int = 16,
        positions: str = 'sine',
        feed_forward: str = 'gelu',
        qk_norm: bool = False,
        context_dim: int | None = None,
        vector_dim: int | None = None,
        checkpointing: bool = False,
    ) -> None:
        super().__init__(
            in_channels, out_channels, context_dim, vector_dim, checkpointing
        )
        _check(channels, patch_size, num_layers, num_heads, positions)
        check_choice('denoiser.feed_forward', feed_forward, FEED_FORWARDS)
        self.channels = channels
        self.patch_size = patch_size
        self.head_channels = channels // num_heads
        self.positions = positions
        area = patch_size**2
        self.time_embed = TimeEmbedding(TIME_CHANNELS, channels)
        self.vector_embed = None
        if vector_dim not in (None, channels):
            self.vector_embed = Float32Linear(vector_dim, channels)
        patch_embed = Float32Linear(area * in_channels, channels)
        self.patch_embed = xavier_init(patch_embed)
        self.blocks = nn.ModuleList(
            AdaptiveBlock(
                channels, num_heads, feed_forward, qk_norm, context_dim
            )
            for _ in range(num_layers)
        )
        self.out = AdaptiveOutput(channels, area * out_channels)
        for i in (0, 2):
            nn.init.normal_(self.time_embed.mlp[i].weight, std=0.02)

    def denoise(self, x: Tensor, t: Tensor, cond: Condition) -> Tensor:
        """See :class:`Denoiser`."""
        embedding = self._embed(t, cond.vector)
        grid = [side // self.patch_size for side in x.shape[2:]]
        tokens = self.patch_embed(patchify(x, self.patch_size))
        turns = None
        if self.positions == 'rotary':
            turns = rotary_turns(*grid, self.head_channels, x.device)
        else:
            places = sine_positions(*grid, self.channels, x.device)
            tokens = tokens + places.to(tokens.dtype)
        for block in self.blocks:
            tokens = self.run_block(
                block, tokens, embedding, turns, cond.tokens, cond.tokens_mask
            )
        return unpatchify(self.out(tokens, embedding), grid, self.patch_size)

    def _embed(self, t: Tensor, vector: Tensor | None) -> Tensor:
        """The embedding that modulates all blocks, (B, channels)."""
        embedding = self.time_embed(t)
        if self.vector_embed is not None:
            vector = self.vector_embed(vector)
        return embedding if vector is None else embedding + vector


def _check(
    channels: int,
    patch_size: int,
    num_layers: int,
    num_heads: int,
    positions: str,
) -> None:
    """Raise unless channels fit the heads and the positions."""
    check_count('denoiser.channels', channels)
    check_count('denoiser.patch_size', patch_size)
    check_count('denoiser.num_layers', num_layers)
    check_count('denoiser.num_heads', num_heads)
    check_choice('denoiser.positions', positions, ('sine', 'rotary'))
    needed, cause = 'num_heads', num_heads
    if positions == 'rotary':
        needed, cause = '4 * num_heads (rotary)', 4 * num_heads
    check_divisible('denoiser.channels', channels, needed, cause)
    check_divisible('denoiser.channels', channels, 'channels of 2 axes', 4)
