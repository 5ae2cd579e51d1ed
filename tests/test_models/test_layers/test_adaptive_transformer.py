import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmldm.models.layers import AdaptiveBlock, AdaptiveOutput, rotary_turns
from mmldm.models.layers.adaptive_transformer import (
    AdaptiveNorm,
    FeedForward,
    GridAttention,
    SwiGLU,
)

X = torch.linspace(-1, 1, 2 * 6 * 16).sin().view(2, 6, 16)
EMBEDDING = torch.linspace(-2, 2, 32).view(2, 16)
OPTIONS = [
    dict(),
    dict(feed_forward='swiglu', qk_norm=True),
    dict(context_dim=8),
]


@pytest.mark.parametrize('options', OPTIONS)
def test_a_block_starts_as_the_identity(options):
    """adaLN-Zero: whatever the embedding, and the tokens attended to."""
    block = AdaptiveBlock(16, 2, **options)
    context = torch.randn(2, 3, 8) if 'context_dim' in options else None
    assert torch.equal(block(X, EMBEDDING, context=context), X)


def test_an_output_starts_at_zero():
    assert not AdaptiveOutput(16, 4)(X, EMBEDDING).any()


def test_a_block_is_what_the_paper_draws(awaken):
    """Peebles & Xie 2023, figure 3, written out."""
    block = awaken(AdaptiveBlock(16, 2))
    values = block.modulation.linear(F.silu(EMBEDDING))[:, None]
    shift1, scale1, gate1, shift2, scale2, gate2 = values.chunk(6, dim=-1)

    def norm(x):
        return F.layer_norm(x, (16,), eps=1e-6)

    h = X + gate1 * block.self_attn(norm(X) * (1 + scale1) + shift1)
    expected = h + gate2 * block.feed_forward(norm(h) * (1 + scale2) + shift2)
    torch.testing.assert_close(block(X, EMBEDDING), expected)


def test_modulation_scales_and_shifts_a_norm():
    shift, scale = torch.randn(2, 2, 1, 16)
    found = AdaptiveNorm(16)(X, shift, scale)
    off = found - shift
    torch.testing.assert_close(
        off / (1 + scale),
        F.layer_norm(X, (16,), eps=1e-6),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('qk_norm', [False, True])
def test_grid_attention_is_attention(qk_norm, turned):
    """Head by head, against torch's own where nothing is normed or turned."""
    attention = GridAttention(16, 2, qk_norm=qk_norm)
    turns = rotary_turns(2, 3, 8) if turned else None
    own = nn.MultiheadAttention(16, 2, batch_first=True)
    own.in_proj_weight.data = attention.qkv.weight.data
    own.in_proj_bias.data = attention.qkv.bias.data
    own.out_proj.load_state_dict(attention.out.state_dict())
    expected, _ = own(X, X, X)
    same = torch.allclose(attention(X, turns), expected, atol=1e-5)
    assert same == (not qk_norm and not turned)


@pytest.mark.parametrize('scale', [1.0, 100.0])
def test_normed_queries_and_keys_bound_the_scores(scale):
    """However large the weights are, |score| <= sqrt(channels of a head)."""
    attention = GridAttention(16, 2, qk_norm=True)
    attention.qkv.weight.data[:32] *= scale
    seen = []
    attention.norm_q.register_forward_hook(lambda *args: seen.append(args[2]))
    attention.norm_k.register_forward_hook(lambda *args: seen.append(args[2]))
    attention(X)
    q, k = seen
    scores = (q @ k.transpose(-1, -2)).abs().max() / 8**0.5
    assert scores <= 8**0.5 + 1e-4
    # Of unit deviation, hence of one scale.
    assert q.square().mean().item() == pytest.approx(1, abs=0.05)


def test_swiglu_is_gated_by_silu():
    """Shazeer 2020, eq. 6, without biases."""
    layer = SwiGLU(6)
    for weight in (layer.proj_in.bias, layer.proj_out.bias):
        assert not weight.any()
    value, gate = layer.proj_in.weight.chunk(2)
    expected = (X[..., :6] @ value.T) * F.silu(X[..., :6] @ gate.T)
    torch.testing.assert_close(
        layer(X[..., :6]), expected @ layer.proj_out.weight.T
    )


def count(module):
    """Weights without biases."""
    return sum(w.numel() for w in module.parameters() if w.ndim == 2)


def test_both_feed_forwards_of_xl_are_of_one_size():
    with torch.device('meta'):
        assert count(SwiGLU(1152)) == count(FeedForward(1152))


def test_every_weight_of_a_block_takes_part(awaken):
    block = AdaptiveBlock(16, 2, 'swiglu', qk_norm=True, context_dim=8)
    awaken(block)
    context = torch.randn(2, 3, 8)
    block(X, EMBEDDING, context=context).square().sum().backward()
    for name, weight in block.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name
