from dataclasses import replace

import pytest
import torch

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.layers import ResBlock, SelfAttention2d, SpatialTransformer
from mmldm.structures import Condition


def build(**overrides):
    return DenoisingUNet(
        **{
            **dict(
                in_channels=5,
                out_channels=4,
                channels=64,
                channel_mults=(1, 2),
                num_res_blocks=1,
                attn_factors=(2,),
                context_dim=8,
                vector_dim=6,
            ),
            **overrides,
        }
    )


@pytest.fixture
def unet(awaken):
    return awaken(build()).eval()


@pytest.fixture
def z_t():
    return torch.randn(2, 4, 4, 4)


T = torch.tensor([10.0, 900.0])


@pytest.fixture
def cond():
    return Condition(
        vector=torch.randn(2, 6),
        tokens=torch.randn(2, 3, 8),
        tokens_mask=torch.tensor([[True, True, False]] * 2),
        spatial=torch.randn(2, 1, 4, 4),
    )


def test_an_untrained_network_outputs_zero(z_t, cond):
    assert not build()(z_t, T, cond).any()


def change(slot):
    """Another second sample."""
    if slot.dtype == torch.bool:
        return torch.stack([slot[0], ~slot[1]])
    return torch.stack([slot[0], slot[1] + 1])


def assert_second_sample_alone_differs(out, other):
    same, changed = (out - other).abs().amax((1, 2, 3))
    assert same < 1e-5 < 1e-4 < changed


@pytest.mark.parametrize(
    'slot', ['vector', 'tokens', 'tokens_mask', 'spatial']
)
def test_every_slot_arrives(unet, z_t, cond, slot):
    other = replace(cond, **{slot: change(getattr(cond, slot))})
    assert_second_sample_alone_differs(unet(z_t, T, other), unet(z_t, T, cond))


def test_the_latent_arrives(unet, z_t, cond):
    assert_second_sample_alone_differs(
        unet(change(z_t), T, cond), unet(z_t, T, cond)
    )


@pytest.mark.parametrize('t', [901.0, 900.5])
def test_the_time_arrives(unet, z_t, cond, t):
    assert_second_sample_alone_differs(
        unet(z_t, torch.tensor([10.0, t]), cond), unet(z_t, T, cond)
    )


def test_a_masked_token_does_not_matter(unet, z_t, cond):
    tokens = cond.tokens.clone()
    tokens[:, 2] += 1
    torch.testing.assert_close(
        unet(z_t, T, replace(cond, tokens=tokens)), unet(z_t, T, cond)
    )


def attention_by_width(unet, kind):
    """How often there is attention where a level has 64, 128, 192."""
    found = [
        m.norm.num_channels for m in unet.modules() if isinstance(m, kind)
    ]
    return [found.count(width) for width in (64, 128, 192)]


@pytest.mark.parametrize(
    'context_dim, kind, other',
    [
        (8, SpatialTransformer, SelfAttention2d),
        (None, SelfAttention2d, SpatialTransformer),
    ],
)
@pytest.mark.parametrize(
    'attn_factors, expected',
    [((), [0, 0, 1]), ((1,), [3, 0, 1]), ((2, 4), [0, 3, 4])],
)
def test_attention_is_where_it_was_asked_for(
    attn_factors, expected, context_dim, kind, other
):
    """One block down and two up at a factor, and one in the middle."""
    unet = build(
        channel_mults=(1, 2, 3),
        attn_factors=attn_factors,
        context_dim=context_dim,
    )
    assert attention_by_width(unet, kind) == expected
    assert attention_by_width(unet, other) == [0, 0, 0]


def test_the_width_of_a_head_arrives(unet, z_t, cond):
    wide = build(head_channels=64).eval()
    wide.load_state_dict(unet.state_dict())
    assert not torch.allclose(wide(z_t, T, cond), unet(z_t, T, cond))


@pytest.mark.parametrize('num_res_blocks', [1, 2])
def test_a_level_has_its_blocks_and_one_more_up(num_res_blocks):
    """Two levels, and two blocks in the middle."""
    unet = build(num_res_blocks=num_res_blocks)
    blocks = [m for m in unet.modules() if isinstance(m, ResBlock)]
    assert len(blocks) == 2 * (2 * num_res_blocks + 1) + 2


def test_dropout_acts_in_training_alone(awaken, z_t, cond):
    unet = awaken(build(dropout=0.5))
    assert not torch.equal(unet(z_t, T, cond), unet(z_t, T, cond))
    unet.eval()
    assert torch.equal(unet(z_t, T, cond), unet(z_t, T, cond))


def test_a_sample_does_not_see_the_rest_of_its_batch(unet, z_t, cond):
    one = Condition(
        cond.vector[1:],
        cond.tokens[1:],
        cond.tokens_mask[1:],
        cond.spatial[1:],
    )
    torch.testing.assert_close(
        unet(z_t[1:], T[1:], one), unet(z_t, T, cond)[1:], rtol=1e-4, atol=1e-5
    )


def test_every_weight_takes_part(unet, z_t, cond):
    unet(z_t, T, cond).square().sum().backward()
    for name, weight in unet.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


def test_any_size_goes_that_the_factor_divides(unet, cond):
    assert unet.factor == 2
    one = replace(cond, spatial=torch.randn(2, 1, 2, 6))
    out = unet(torch.randn(2, 4, 2, 6), T, one)
    assert out.shape == (2, 4, 2, 6)
