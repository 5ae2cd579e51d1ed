"""Transformer blocks that an embedding shifts, scales and gates."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import CrossAttention, attend_to, dot_product_attention
from .positions import rotate
from .precision import Float32Linear
from .resnet import zero_init


def xavier_init(linear: nn.Linear) -> nn.Linear:
    """Initialise as in Glorot & Bengio 2010, uniformly, with zero bias."""
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


class Modulation(nn.Module):
    """Shifts, scales and gates for tokens, all of which start at 0.

    Adaptive layer norm, "adaLN-Zero"; Peebles & Xie 2023, section 3.2.

    Args:
        channels: Channels of the embedding and of the tokens.
        count: Number of shifts, scales and gates together.
    """

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.linear = zero_init(Float32Linear(channels, count * channels))

    def forward(self, embedding: Tensor) -> tuple[Tensor, ...]:
        """(B, C) -> ``count`` times (B, 1, C)."""
        values = self.linear(F.silu(embedding))[:, None]
        return values.chunk(self.count, dim=-1)


class AdaptiveNorm(nn.LayerNorm):
    """Layer norm without weights, whose result is scaled and shifted.

    Args:
        channels: Channels of a token.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6, elementwise_affine=False)

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Norm of tokens (B, L, C), with a shift and a scale (B, 1, C)."""
        return torch.addcmul(shift, super().forward(x), 1 + scale)


class GridAttention(nn.Module):
    """Self-attention of tokens that lie on a grid.

    Args:
        channels: Channels of a token.
        num_heads: Attention heads, a divisor of ``channels``.
        qk_norm: Whether to normalise queries and keys, which bounds the
            input of the softmax; Dehghani et al. 2023, section 2
            (arXiv:2302.05442).
    """

    def __init__(
        self, channels: int, num_heads: int, qk_norm: bool = False
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = xavier_init(nn.Linear(channels, 3 * channels))
        self.norm_q, self.norm_k = (
            nn.LayerNorm(channels // num_heads, eps=1e-6, bias=False)
            if qk_norm
            else nn.Identity()
            for _ in range(2)
        )
        self.out = xavier_init(nn.Linear(channels, channels))

    def forward(self, x: Tensor, turns: Tensor | None = None) -> Tensor:
        """Attend, (B, L, C) -> (B, L, C).

        Args:
            x: Tokens.
            turns: Result of :func:`rotary_turns`; None for no rotary
                positions.
        """
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        # Under autocast the norms may return float32.
        q, k = self.norm_q(q).to(v.dtype), self.norm_k(k).to(v.dtype)
        if turns is not None:
            q, k = rotate(q, turns), rotate(k, turns)
        out = dot_product_attention(q, k, v)
        return self.out(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them, in its tanh form.

    Args:
        channels: Channels in and out; there are four times as many inside.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj_in = xavier_init(nn.Linear(channels, 4 * channels))
        self.proj_out = xavier_init(nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, L, C)."""
        return self.proj_out(F.gelu(self.proj_in(x), approximate='tanh'))


class SwiGLU(nn.Module):
    """Feed-forward unit gated by SiLU; Shazeer 2020 (arXiv:2002.05202), eq. 6.

    Args:
        channels: Channels in and out; there are 8/3 as many inside, rounded
            to a multiple of 8, for about the size of :class:`FeedForward`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = 8 * round(channels / 3)
        self.proj_in = xavier_init(nn.Linear(channels, 2 * inside))
        self.proj_out = xavier_init(nn.Linear(inside, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, L, C)."""
        value, gate = self.proj_in(x).chunk(2, dim=-1)
        return self.proj_out(value * F.silu(gate))


FEED_FORWARDS = dict(gelu=FeedForward, swiglu=SwiGLU)


class AdaptiveBlock(nn.Module):
    """Self-attention, cross-attention and feed-forward; starts as identity.

    See Peebles & Xie 2023, figure 3 ("DiT block with adaLN-Zero").
    Cross-attention has the place of Chen et al. 2023 (arXiv:2310.00426,
    section 2.3) and is not modulated.

    Args:
        channels: Channels of a token and of the embedding.
        num_heads: Attention heads, a divisor of ``channels``.
        feed_forward: 'gelu' or 'swiglu'.
        qk_norm: See :class:`GridAttention`.
        context_dim: Channels of the context tokens; None for no
            cross-attention.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        feed_forward: str = 'gelu',
        qk_norm: bool = False,
        context_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.modulation = Modulation(channels, 6)
        self.norm1 = AdaptiveNorm(channels)
        self.self_attn = GridAttention(channels, num_heads, qk_norm)
        self.cross_attn = None
        if context_dim is not None:
            self.norm2 = nn.LayerNorm(channels)
            self.cross_attn = CrossAttention(channels, context_dim, num_heads)
            zero_init(self.cross_attn.to_out)
        self.norm3 = AdaptiveNorm(channels)
        self.feed_forward = FEED_FORWARDS[feed_forward](channels)

    def forward(
        self,
        x: Tensor,
        embedding: Tensor,
        turns: Tensor | None = None,
        context: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Transform tokens, (B, L, C) -> (B, L, C).

        Args:
            x: Tokens.
            embedding: Embedding that modulates the tokens, (B, C).
            turns: See :class:`GridAttention`.
            context: Context tokens, (B, M, context_dim).
            mask: True for context tokens that count, (B, M) bool.
        """
        shift, scale, gate, *others = self.modulation(embedding)
        x = x + gate * self.self_attn(self.norm1(x, shift, scale), turns)
        if self.cross_attn is not None:
            x = x + attend_to(self.norm2, self.cross_attn, x, context, mask)
        shift, scale, gate = others
        return x + gate * self.feed_forward(self.norm3(x, shift, scale))


class AdaptiveOutput(nn.Module):
    """Norm, modulation and a linear layer to other channels; 0 at first.

    Args:
        channels: Channels of a token and of the embedding.
        out_channels: Channels of the result.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.modulation = Modulation(channels, 2)
        self.norm = AdaptiveNorm(channels)
        self.linear = zero_init(Float32Linear(channels, out_channels))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(B, L, C) and (B, C) -> (B, L, out)."""
        return self.linear(self.norm(x, *self.modulation(embedding)))
