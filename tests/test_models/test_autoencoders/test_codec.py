from itertools import pairwise

import pytest
import torch
from torch import nn

from mmldm.models.autoencoders.codec import Decoder, Encoder
from mmldm.models.layers import Downsample, ResBlock, SelfAttention2d


def count(module, kind):
    return sum(isinstance(m, kind) for m in module.modules())


@pytest.mark.parametrize('mid_attention', [False, True])
def test_attention_in_the_middle_is_an_option(mid_attention):
    for codec in (Encoder, Decoder):
        built = codec(8, 32, (1, 2), 1, (), mid_attention, 32)
        assert count(built, SelfAttention2d) == mid_attention


@pytest.mark.parametrize('attn_factors, width', [((1,), 32), ((2,), 64)])
def test_attention_follows_the_blocks_of_the_levels_asked_for(
    attn_factors, width
):
    encoder, decoder = (
        codec(8, 32, (1, 2), 2, attn_factors, False, 32)
        for codec in (Encoder, Decoder)
    )
    for codec, blocks in ((encoder, 2), (decoder, 3)):
        pairs = [
            (before, layer)
            for before, layer in pairwise(codec)
            if isinstance(layer, SelfAttention2d)
        ]
        assert len(pairs) == blocks
        for block, layer in pairs:
            assert isinstance(block, ResBlock)
            assert layer.norm.num_channels == width


@pytest.mark.parametrize('num_res_blocks', [1, 2])
def test_a_level_has_its_blocks_and_the_decoders_one_more(num_res_blocks):
    """Two levels, and two blocks in the middle."""
    options = (8, 32, (1, 2), num_res_blocks, (), False, 32)
    assert count(Encoder(*options), ResBlock) == 2 * num_res_blocks + 2
    assert count(Decoder(*options), ResBlock) == 2 * (num_res_blocks + 1) + 2


def test_the_decoder_mirrors_the_encoders_widths():
    def widths(codec):
        return [
            m.conv2.out_channels
            for m in codec.modules()
            if isinstance(m, ResBlock)
        ]

    encoder = widths(Encoder(8, 32, (1, 2, 3), 1, (), False, 32))
    decoder = widths(Decoder(8, 32, (1, 2, 3), 1, (), False, 32))
    assert encoder == [32, 64, 96, 96, 96]
    assert decoder == [96, 96, 96, 96, 64, 64, 32, 32]


def test_autoencoders_pad_below_and_on_the_right_alone():
    encoder = Encoder(8, 32, (1, 1), 1, (), False, 32)
    assert all(
        m.pad_end_only for m in encoder.modules() if isinstance(m, Downsample)
    )
    assert count(encoder, Downsample) == 1


def test_every_weight_takes_part():
    encoder, decoder = (
        codec(8, 32, (1, 2), 1, (2,), True, 8) for codec in (Encoder, Decoder)
    )
    decoder(encoder(torch.randn(1, 3, 4, 4))).square().sum().backward()
    for codec in (encoder, decoder):
        for name, weight in codec.named_parameters():
            assert weight.grad is not None, name


def test_all_norms_have_the_groups_asked_for():
    for codec in (Encoder, Decoder):
        built = codec(8, 32, (1, 2), 1, (2,), True, 8)
        norms = [m for m in built.modules() if isinstance(m, nn.GroupNorm)]
        assert {norm.num_groups for norm in norms} == {8}
