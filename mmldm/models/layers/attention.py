"""Attention over positions and over condition tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .resnet import NUM_GROUPS, group_norm, zero_init

# Keys up to which float32 is faster than bfloat16 in training on a CPU.
MOST_KEYS = 512


def dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> Tensor:
    """``F.scaled_dot_product_attention``, in the fastest precision.

    On a CPU, torch's backward in bfloat16 is slow for few tokens: with 64 of
    them, 4 heads and a batch of 32 it takes 14.9 ms, in float32 4.6 ms, and
    was a third of a training step; with 1,024 bfloat16 is faster
    (torch 2.12, one core, 2026-11-30).

    Args:
        q: Queries, (B, heads, L, C).
        k: Keys, (B, heads, M, C).
        v: Values, (B, heads, M, C).
        mask: True where a key counts, bool, broadcast to (B, heads, L, M).
    """
    few = q.device.type == 'cpu' and k.shape[-2] <= MOST_KEYS
    if few and q.dtype == torch.bfloat16 and torch.is_grad_enabled():
        with torch.autocast('cpu', enabled=False):
            q, k, values = q.float(), k.float(), v.float()
            out = F.scaled_dot_product_attention(q, k, values, mask)
        return out.to(v.dtype)
    return F.scaled_dot_product_attention(q, k, v, mask)


def _attend(
    q: Tensor, k: Tensor, v: Tensor, num_heads: int, mask: Tensor | None = None
) -> Tensor:
    """Multi-head attention of (B, L, C) queries over (B, M, C) keys.

    ``mask`` is (B, M) bool, True where a key counts.
    """
    q, k, v = (
        x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (q, k, v)
    )
    if mask is not None:
        mask = mask[:, None, None, :]
    out = dot_product_attention(q, k, v, mask)
    return out.transpose(1, 2).flatten(2)


class SelfAttention2d(nn.Module):
    """Residual self-attention over the positions of a feature map.

    Args:
        channels: Multiple of ``num_groups``.
        num_heads: Attention heads, a divisor of ``channels``.
        eps: Epsilon of the group norm.
        num_groups: Groups of the group norm.
        zero_out: Whether to start as the identity, as denoisers do.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int = 1,
        eps: float = 1e-5,
        num_groups: int = NUM_GROUPS,
        zero_out: bool = True,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = group_norm(channels, eps, num_groups)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        if zero_out:
            zero_init(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        out = self.out(_attend(q, k, v, self.num_heads))
        return x + out.transpose(1, 2).unflatten(2, x.shape[2:])


class CrossAttention(nn.Module):
    """Attention of (B, L, C) queries over context tokens.

    Args:
        channels: Channels of the queries, C.
        context_dim: Channels of the tokens.
        num_heads: Attention heads, a divisor of ``channels`` unless
            ``head_channels`` is given.
        head_channels: Channels of a head; None for C / num_heads.
    """

    def __init__(
        self,
        channels: int,
        context_dim: int,
        num_heads: int,
        head_channels: int | None = None,
    ) -> None:
        super().__init__()
        width = channels
        if head_channels is not None:
            width = num_heads * head_channels
        self.num_heads = num_heads
        self.to_q = nn.Linear(channels, width, bias=False)
        self.to_k = nn.Linear(context_dim, width, bias=False)
        self.to_v = nn.Linear(context_dim, width, bias=False)
        self.to_out = nn.Linear(width, channels)

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """The result of attention for each query, (B, L, C).

        Args:
            x: Queries, (B, L, C).
            context: Tokens, (B, M, context_dim).
            mask: True for tokens that count, (B, M) bool.
        """
        out = _attend(
            self.to_q(x),
            self.to_k(context),
            self.to_v(context),
            self.num_heads,
            mask,
        )
        return self.to_out(out)

    def of_single_token(self, context: Tensor) -> Tensor:
        """The result for all queries if there is one token, (B, 1, C).

        A softmax over one key is 1, whatever the query.
        """
        return self.to_out(self.to_v(context))


def attend_to(
    norm: nn.LayerNorm,
    attention: CrossAttention,
    x: Tensor,
    context: Tensor,
    mask: Tensor | None,
) -> Tensor:
    """Pre-normed cross-attention, (B, L, C); (B, 1, C) if the same for all L.

    Args:
        norm: Norm of the queries.
        attention: The cross-attention.
        x: Queries before their norm, (B, L, C).
        context: Tokens, (B, M, context_dim).
        mask: True for tokens that count, (B, M) bool.
    """
    if context.shape[1] > 1 or mask is not None:
        return attention(norm(x), context, mask)
    out = attention.of_single_token(context)
    if not torch.is_grad_enabled():
        return out
    # Data parallelism needs a gradient of every weight. Unused ones get zeros,
    # as attention itself would give them.
    idle = (norm, attention.to_q, attention.to_k)
    weights = [w for module in idle for w in module.parameters()]
    return out + 0 * sum(weight.flatten()[0] for weight in weights)


class GEGLU(nn.Module):
    """Gated feed-forward unit; Shazeer 2020 (arXiv:2002.05202), eq. 6.

    Args:
        channels: Channels in and out; there are four times as many inside.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj_in = nn.Linear(channels, 8 * channels)
        self.proj_out = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj_in(x).chunk(2, dim=-1)
        return self.proj_out(value * F.gelu(gate))


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward, each pre-normed.

    Args:
        channels: Channels of the sequence.
        context_dim: Channels of the context tokens.
        num_heads: Attention heads, a divisor of ``channels``.
    """

    def __init__(
        self, channels: int, context_dim: int, num_heads: int
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.self_attn = CrossAttention(channels, channels, num_heads)
        self.norm2 = nn.LayerNorm(channels)
        self.cross_attn = CrossAttention(channels, context_dim, num_heads)
        self.norm3 = nn.LayerNorm(channels)
        self.feed_forward = GEGLU(channels)

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Transform a sequence, (B, L, C) -> (B, L, C)."""
        h = self.norm1(x)
        x = x + self.self_attn(h, h)
        x = x + attend_to(self.norm2, self.cross_attn, x, context, mask)
        return x + self.feed_forward(self.norm3(x))


class SpatialTransformer(nn.Module):
    """Residual transformer on a feature map; Rombach et al. 2022, app. B.

    Args:
        channels: Multiple of 32.
        context_dim: Channels of the context tokens.
        num_heads: Attention heads, a divisor of ``channels``.
        depth: Number of transformer blocks, > 0.
    """

    def __init__(
        self, channels: int, context_dim: int, num_heads: int, depth: int = 1
    ) -> None:
        super().__init__()
        self.norm = group_norm(channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.blocks = nn.ModuleList(
            TransformerBlock(channels, context_dim, num_heads)
            for _ in range(depth)
        )
        self.proj_out = zero_init(nn.Linear(channels, channels))

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        tokens = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, context, mask)
        tokens = self.proj_out(tokens)
        return x + tokens.transpose(1, 2).unflatten(2, x.shape[2:])
