import pytest
import torch

from mmldm.models.conditioners import Conditioner, TokenTransformer
from mmldm.structures import LDMDataSample

KEEP = torch.tensor([False, False])


def build(**overrides):
    sizes = dict(vocab_size=10, max_length=4, embed_dim=6, num_layers=2)
    return TokenTransformer(
        dict(type='PrecomputedTokens'), **sizes | overrides
    )


@pytest.fixture
def samples():
    return [LDMDataSample(tokens=row) for row in ([1, 2, 3], [4, 5, 6])]


def test_a_block_is_attention_and_feed_forward_on_what_is_normed(samples):
    """Written out, with one head as wide as its sequence is not."""
    model = build(num_layers=1, num_heads=1, head_channels=3)
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    x = model.token_embed.weight[ids] + model.position_embed.weight[:3]
    (block,) = model.blocks
    h, attn = block.norm1(x), block.attn
    q, k, v = attn.to_q(h), attn.to_k(h), attn.to_v(h)
    weights = (q @ k.transpose(1, 2) / 3**0.5).softmax(-1)
    x = x + attn.to_out(weights @ v)
    wide = torch.nn.functional.gelu(block.feed_forward[0](block.norm2(x)))
    assert wide.shape[-1] == 4 * 6
    expected = model.norm(x + block.feed_forward[2](wide))
    torch.testing.assert_close(model(samples, KEEP), expected)


def test_heads_are_as_wide_as_asked():
    weights = build(num_heads=3, head_channels=5).blocks[1].attn.to_q.weight
    assert weights.shape == (15, 6)


def test_what_is_dropped_is_null(samples):
    conditioner = Conditioner([dict(type='TokenTransformer', **CONFIG)])
    null = conditioner.null(samples).tokens
    (model,) = conditioner.embedders
    dropped = model(samples, torch.tensor([True, False]))
    torch.testing.assert_close(dropped[0], null[0])
    torch.testing.assert_close(dropped[1], model(samples, KEEP)[1])
    zeros = LDMDataSample(tokens=[0, 0, 0])
    torch.testing.assert_close(null, model([zeros] * 2, KEEP))


CONFIG = dict(
    tokenizer=dict(type='PrecomputedTokens'),
    vocab_size=10,
    max_length=4,
    embed_dim=6,
    num_layers=1,
)


def test_pooled_tokens_are_a_vector_too(samples):
    """Their mean, in the slot that reaches every residual block."""
    config = dict(type='TokenTransformer', **CONFIG)
    pooled = Conditioner([dict(config, pooled=True)])
    assert pooled.dim('tokens') == pooled.dim('vector') == 6
    cond = pooled(samples)
    torch.testing.assert_close(cond.vector, cond.tokens.mean(1))
    plain = Conditioner([config])
    plain.load_state_dict(pooled.state_dict())
    torch.testing.assert_close(plain(samples).tokens, cond.tokens)
    assert plain.slots == ('tokens',)


def test_all_learns_but_what_nothing_reads(samples):
    model = build(logits=True)
    model(samples, KEEP).square().sum().backward()
    idle = {n for n, w in model.named_parameters() if w.grad is None}
    assert idle == {'to_logits.weight', 'to_logits.bias'}
    frozen = {n for n, w in model.named_parameters() if not w.requires_grad}
    assert frozen == idle
    assert not hasattr(build(), 'to_logits')


@pytest.mark.parametrize(
    ('options', 'std'), [({}, 0.02), (dict(init_std=1.0), 1.0)]
)
def test_how_large_embeddings_start(options, std):
    """As in the original, or as asked."""
    model = build(vocab_size=1000, max_length=500, **options)
    for embedding in (model.token_embed, model.position_embed):
        assert embedding.weight.std().item() == pytest.approx(std, rel=0.1)


def test_embeddings_without_size_are_refused():
    with pytest.raises(ValueError, match=r'TokenTransformer\.init_std'):
        build(init_std=0.0)


@pytest.mark.parametrize('token', [10, -1])
def test_a_token_beyond_the_vocabulary_is_refused(token):
    samples = [LDMDataSample(tokens=[1, token])]
    with pytest.raises(
        ValueError,
        match=f'PrecomputedTokens yields the token {token}, but .*=10',
    ):
        build()(samples, KEEP[:1])


def test_more_tokens_than_positions_are_refused():
    samples = [LDMDataSample(tokens=[1] * 5)]
    with pytest.raises(ValueError, match='yields 5 tokens, but .*_length=4'):
        build()(samples, KEEP[:1])


@pytest.mark.parametrize(
    ('tokenizer', 'sizes'),
    [
        (dict(type='WordTokens', vocab=['a', 'b'], max_length=5), (2 + 1, 5)),
        # Three tokens an object, and two of the crop.
        (dict(type='LayoutTokens', max_objects=4), (8192, 3 * 4 + 2)),
        (dict(type='LayoutTokens', max_objects=4, crop=False), (8192, 3 * 4)),
    ],
)
def test_what_the_tokenizer_knows_may_be_left_out(tokenizer, sizes):
    model = TokenTransformer(tokenizer, embed_dim=6, num_layers=1)
    embeddings = model.token_embed, model.position_embed
    assert tuple(e.num_embeddings for e in embeddings) == sizes


@pytest.mark.parametrize('key', ['vocab_size', 'max_length'])
def test_what_it_does_not_know_has_to_be_stated(key):
    wanted = (
        f'TokenTransformer.{key} is missing, and PrecomputedTokens .*: give'
    )
    with pytest.raises(ValueError, match=wanted):
        build(**{key: None})
