import pytest
import torch
import torch.nn.functional as F

from mmldm.models.layers import SelfAttention2d, SpatialTransformer
from mmldm.models.layers.attention import (
    GEGLU,
    MOST_KEYS,
    CrossAttention,
    TransformerBlock,
    dot_product_attention,
)

X = torch.linspace(-1, 1, 2 * 64 * 6).sin().view(2, 64, 2, 3)


@pytest.fixture
def transformer(awaken):
    return awaken(SpatialTransformer(64, context_dim=8, num_heads=2))


@pytest.fixture
def context():
    return torch.randn(2, 5, 8)


MASK = torch.tensor(
    [[True, True, True, False, False], [True, False, True, True, True]]
)


def changed(context, sample, token):
    other = context.clone()
    other[sample, token] += 1
    return other


@pytest.mark.parametrize('sample, token', [(0, 3), (0, 4), (1, 1)])
def test_a_masked_token_does_not_matter(transformer, context, sample, token):
    torch.testing.assert_close(
        transformer(X, changed(context, sample, token), MASK),
        transformer(X, context, MASK),
    )


@pytest.mark.parametrize('sample, token', [(0, 2), (1, 0)])
def test_a_token_that_counts_matters_to_its_sample(
    transformer, context, sample, token
):
    difference = (
        (
            transformer(X, changed(context, sample, token), MASK)
            - transformer(X, context, MASK)
        )
        .abs()
        .amax((1, 2, 3))
    )
    assert difference[sample] > 1e-4
    assert difference[1 - sample] < 1e-6


def test_a_mask_is_as_if_the_token_were_not_there(transformer, context):
    torch.testing.assert_close(
        transformer(X[:1], context[:1], MASK[:1]),
        transformer(X[:1], context[:1, :3]),
    )


def test_the_order_of_tokens_does_not_matter(transformer, context):
    torch.testing.assert_close(
        transformer(X, context.flip(1)), transformer(X, context)
    )


def test_cross_attention_is_a_softmax_of_scaled_products():
    """Vaswani et al. 2017, eq. 1, with one head."""
    attention = CrossAttention(6, 4, num_heads=1)
    x, context = torch.randn(2, 3, 6), torch.randn(2, 5, 4)
    q, k = attention.to_q(x), attention.to_k(context)
    weights = (q @ k.transpose(1, 2) / 6**0.5).softmax(-1)
    torch.testing.assert_close(
        attention(x, context),
        attention.to_out(weights @ attention.to_v(context)),
    )


@pytest.mark.parametrize(
    'tokens, training, computed',
    [
        (5, True, torch.float32),
        (MOST_KEYS, True, torch.float32),
        (MOST_KEYS + 1, True, torch.bfloat16),
        (5, False, torch.bfloat16),
    ],
)
def test_few_tokens_are_trained_in_float32_on_a_cpu(
    monkeypatch, tokens, training, computed
):
    """Where the backward in bfloat16 is slow; the result is bfloat16."""
    seen, attend = [], F.scaled_dot_product_attention

    def spy(q, k, v, mask):
        seen.append((q.dtype, torch.is_autocast_enabled('cpu')))
        return attend(q, k, v, mask)

    monkeypatch.setattr(F, 'scaled_dot_product_attention', spy)
    q, k, v = torch.randn(3, 1, 2, tokens, 4).bfloat16()
    with torch.autocast('cpu'), torch.set_grad_enabled(training):
        out = dot_product_attention(q, k, v)
    assert seen == [(computed, computed == torch.bfloat16)]
    assert out.dtype == torch.bfloat16
    exact = attend(q.float(), k.float(), v.float())
    torch.testing.assert_close(out.float(), exact, rtol=0.02, atol=0.02)


def test_a_mask_holds_in_both_precisions():
    q, k, v = torch.randn(3, 2, 1, 5, 4)
    mask = MASK[:, None, None]
    low = dot_product_attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), mask)
    exact = dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(low.float(), exact, rtol=0.05, atol=0.05)


def test_heads_attend_on_their_own():
    """Two heads are two attentions over half of the channels each."""
    whole = CrossAttention(6, 4, num_heads=2)
    x, context = torch.randn(2, 3, 6), torch.randn(2, 5, 4)
    heads = []
    for channels in (slice(0, 3), slice(3, 6)):
        q = whole.to_q(x)[..., channels]
        k, v = (f(context)[..., channels] for f in (whole.to_k, whole.to_v))
        heads.append((q @ k.transpose(1, 2) / 3**0.5).softmax(-1) @ v)
    torch.testing.assert_close(
        whole(x, context), whole.to_out(torch.cat(heads, -1))
    )


def test_geglu_gates_one_half_by_the_other():
    unit, x = GEGLU(4), torch.randn(3, 4)
    value, gate = unit.proj_in(x).split(16, dim=-1)
    torch.testing.assert_close(
        unit(x), unit.proj_out(value * torch.nn.functional.gelu(gate))
    )


@pytest.mark.parametrize(
    'block', [SelfAttention2d(64), SelfAttention2d(64, num_heads=2)]
)
def test_self_attention_starts_as_the_identity(block):
    assert torch.equal(block(X), X)


def test_an_autoencoders_self_attention_does_not():
    assert not torch.isclose(SelfAttention2d(64, zero_out=False)(X), X).all()


def test_a_transformer_starts_as_the_identity(context):
    assert torch.equal(SpatialTransformer(64, 8, 2)(X, context), X)


def test_self_attention_knows_no_positions(awaken):
    block = awaken(SelfAttention2d(64))
    torch.testing.assert_close(block(X.flip(2, 3)).flip(2, 3), block(X))


def test_height_and_width_keep_their_places(awaken):
    """A transposed image gives a transposed result."""
    block = awaken(SelfAttention2d(64))
    torch.testing.assert_close(block(X.mT).mT, block(X))


def test_the_number_of_heads_arrives(awaken):
    one, two = SelfAttention2d(64), SelfAttention2d(64, num_heads=2)
    two.load_state_dict(awaken(one).state_dict())
    assert not torch.allclose(one(X), two(X))


@pytest.mark.parametrize('depth', [1, 3])
def test_a_transformers_depth_arrives(awaken, context, depth):
    """Blocks in a row, between the projections."""
    transformer = awaken(SpatialTransformer(64, 8, 2, depth))
    assert len(transformer.blocks) == depth
    tokens = transformer.norm(X).flatten(2).transpose(1, 2)
    tokens = transformer.proj_in(tokens)
    for block in transformer.blocks:
        tokens = block(tokens, context)
    expected = X + transformer.proj_out(tokens).mT.view_as(X)
    torch.testing.assert_close(transformer(X, context), expected)


@pytest.fixture
def block(awaken):
    return awaken(TransformerBlock(8, context_dim=6, num_heads=2))


ONE = torch.ones(2, 1, dtype=torch.bool)  # a mask, which hides nothing


def test_one_token_needs_no_query(block, monkeypatch):
    """The same as by attention, which a mask makes it go through."""
    x, context = torch.randn(2, 5, 8), torch.randn(2, 1, 6)
    full = block(x, context, ONE)
    monkeypatch.setattr(block.cross_attn, 'forward', None)
    torch.testing.assert_close(block(x, context), full)


@pytest.mark.parametrize('training', [True, False])
def test_one_token_gives_the_gradients_of_attention(block, training):
    """Zero for query and key, but there."""
    block.train(training)
    x, context = torch.randn(2, 5, 8), torch.randn(2, 1, 6)
    gradients = []
    for mask in (None, ONE):
        block.zero_grad()
        (block(x, context, mask) * x).sum().backward()
        gradients.append([p.grad.clone() for p in block.parameters()])
    for short, full in zip(*gradients, strict=True):
        torch.testing.assert_close(short, full, rtol=1e-4, atol=1e-5)
    assert not block.cross_attn.to_q.weight.grad.any()


def test_a_masked_single_token_is_not_taken(block):
    x, context = torch.randn(2, 5, 8), torch.randn(2, 1, 6)
    masked = block(x, context, torch.tensor([[True], [False]]))
    assert not torch.allclose(masked[1], block(x, context)[1])
