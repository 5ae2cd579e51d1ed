import pytest
import torch
from torch import nn

from mmldm.models.layers import ResBlock, double, group_norm, halve


@pytest.fixture
def x():
    return torch.randn(2, 32, 4, 4)


@pytest.fixture
def embedding():
    return torch.randn(2, 16)


@pytest.mark.parametrize('out_channels', [64, 96])
def test_a_denoisers_block_starts_as_its_skip(x, embedding, out_channels):
    block = ResBlock(32, out_channels, embed_dim=16)
    assert torch.equal(block(x, embedding), block.skip(x))


def test_the_skip_is_the_identity_where_channels_allow(x):
    assert torch.equal(ResBlock(32, 32).skip(x), x)


def test_an_autoencoders_block_starts_at_work(x):
    assert not torch.allclose(ResBlock(32, 32)(x), x, atol=1e-3)


def test_the_embedding_arrives_at_its_sample(x, embedding, awaken):
    """With 32 channels out, one a norm group, it would be undone."""
    block = awaken(ResBlock(32, 64, embed_dim=16))
    other = embedding.clone()
    other[1] += 1
    same, changed = (
        (block(x, other) - block(x, embedding)).abs().amax((1, 2, 3))
    )
    assert same < 1e-6 < 1e-3 < changed


def test_dropout_acts_in_training_alone(x):
    block = ResBlock(32, 32, dropout=0.5)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


@pytest.mark.parametrize('eps', [1e-6, 1.0])
def test_eps_arrives_at_both_norms(x, eps):
    """Group by group, (x - mean) / sqrt(variance + eps)."""
    block = ResBlock(32, 32, eps=eps)
    assert block.norm2.eps == eps
    mean, variance = x.mean((2, 3), True), x.var((2, 3), False, keepdim=True)
    torch.testing.assert_close(
        block.norm1(x), (x - mean) / (variance + eps).sqrt()
    )


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='set channels to 32 or 64'):
        group_norm(48, eps=1e-5)


def test_the_blocks_branch_reads_its_norm_and_activation(x):
    """norm, SiLU, conv, twice, plus the skip."""
    block = ResBlock(32, 64)
    act = nn.functional.silu
    h = block.conv1(act(block.norm1(x)))
    h = block.conv2(act(block.norm2(h)))
    torch.testing.assert_close(block(x), block.skip(x) + h)


def test_the_embedding_is_added_before_the_second_norm(x, embedding, awaken):
    block = awaken(ResBlock(32, 64, embed_dim=16))
    act = nn.functional.silu
    h = block.conv1(act(block.norm1(x)))
    h = block.norm2(h + block.embed(act(embedding))[:, :, None, None])
    torch.testing.assert_close(
        block(x, embedding), block.skip(x) + block.conv2(act(h))
    )


def test_the_embedding_scales_and_shifts_after_it(x, embedding, awaken):
    """Dhariwal & Nichol 2021, section 3.1: scale first, around one."""
    block = awaken(ResBlock(32, 64, embed_dim=16, scale_shift=True))
    act = nn.functional.silu
    embedded = block.embed(act(embedding))[:, :, None, None]
    h = block.norm2(block.conv1(act(block.norm1(x))))
    h = h * (1 + embedded[:, :64]) + embedded[:, 64:]
    torch.testing.assert_close(
        block(x, embedding), block.skip(x) + block.conv2(act(h))
    )


@pytest.mark.parametrize('resample', [halve, double])
def test_a_block_resamples_before_its_convolutions(x, resample):
    block = ResBlock(32, 64, resample=resample)
    act = nn.functional.silu
    h = block.conv1(resample(act(block.norm1(x))))
    h = block.conv2(act(block.norm2(h)))
    torch.testing.assert_close(block(x), block.skip(resample(x)) + h)
