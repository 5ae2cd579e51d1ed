from dataclasses import replace

import pytest
import torch
from torch import nn

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.layers import (
    Downsample,
    ResBlock,
    SelfAttention2d,
    SpatialTransformer,
    Upsample,
    double,
    halve,
)
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


@pytest.mark.parametrize('input_skip', [False, True])
def test_an_untrained_network_outputs_zero(z_t, cond, input_skip):
    assert not build(input_skip=input_skip)(z_t, T, cond).any()


@pytest.mark.parametrize('channels_last', [False, True])
def test_the_input_goes_around_the_norms(awaken, z_t, cond, channels_last):
    torch.manual_seed(0)
    unet = awaken(build(input_skip=True, channels_last=channels_last)).eval()
    out = unet(z_t, T, cond)
    mixed = unet.input_skip(
        torch.cat([z_t, cond.spatial], dim=1),
        unet.time_embed(T) + unet.vector_embed(cond.vector),
    )
    assert mixed.abs().amax((1, 2, 3)).min() > 0.01
    unet.input_skip = None
    torch.testing.assert_close(out - mixed, unet(z_t, T, cond))


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


@pytest.mark.parametrize(
    'attention, heads',
    [
        (None, (4, 2)),
        (dict(head_channels=16), (8, 4)),
        (dict(num_heads=8), (8, 8)),
    ],
)
@pytest.mark.parametrize('context_dim', [8, None])
def test_heads_are_by_their_width_or_their_number(
    attention, heads, context_dim
):
    """Of the levels of 128 and of 64 channels."""
    unet = build(
        channel_mults=(2, 1, 2),
        attn_factors=(1, 2),
        attention=attention,
        context_dim=context_dim,
    )
    found = {}
    for module in unet.modules():
        if isinstance(module, SelfAttention2d | SpatialTransformer):
            inner = [m for m in module.modules() if hasattr(m, 'num_heads')]
            counts = {m.num_heads for m in inner}
            found.setdefault(module.norm.num_channels, set()).update(counts)
    assert found == {64: {heads[1]}, 128: {heads[0]}}


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(res_block=dict(drop_out=0.1)), "did you mean 'dropout'"),
        (dict(res_block=dict(dropout=1.5)), r'dropout=1.5 must be in \[0, 1'),
        (dict(res_block=dict(updown='no')), "updown='no' must be True or Fa"),
        (dict(channels=0), 'denoiser.channels=0 must be a whole number'),
        (dict(num_res_blocks=0), 'denoiser.num_res_blocks=0 must be'),
        (dict(channel_mults=(1, 1.5)), 'channel_mults: factor=1.5 must be'),
    ],
)
def test_options_that_are_not_known_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(tokens=None, tokens_mask=None), 'set denoiser.context_dim=None'),
        (dict(tokens=torch.zeros(2, 3, 9)), 'set denoiser.context_dim=9'),
        (dict(vector=None), 'denoiser.vector_dim=6, but the condition has'),
        (dict(spatial=None), 'set denoiser.in_channels=4'),
    ],
)
def test_a_condition_of_another_shape_is_refused(
    unet, z_t, cond, change, message
):
    with pytest.raises(ValueError, match=message):
        unet(z_t, T, replace(cond, **change))


def test_the_depth_of_transformers_arrives():
    unet = build(attention=dict(num_heads=2, depth=3))
    depths = [
        len(m.blocks)
        for m in unet.modules()
        if hasattr(m, 'proj_out') and isinstance(m, SpatialTransformer)
    ]
    assert depths == [3] * 4


@pytest.mark.parametrize(
    'attention, message',
    [
        (dict(head_channels=48), 'head_channels=48 does not divide the 128'),
        (dict(num_heads=3), 'num_heads=3 does not divide the 128 channels'),
        (dict(num_heads=2, head_channels=32), 'set one of them to None'),
        (dict(num_heads=0), 'attention.num_heads=0 must be a whole number'),
        (dict(head_channels=-1), 'head_channels=-1 must be a whole number'),
        (dict(head_channels='32'), "head_channels='32' must be a whole"),
        (dict(depth=0), 'attention.depth=0 must be a whole number'),
        (dict(head_chanels=32), "did you mean 'head_channels'"),
        ('linear', "denoiser.attention='linear' must be a dict"),
    ],
)
def test_heads_that_do_not_fit_are_refused(attention, message):
    with pytest.raises(ValueError, match=message):
        build(attention=attention)


@pytest.mark.parametrize('num_res_blocks', [1, 2])
def test_a_level_has_its_blocks_and_one_more_up(num_res_blocks):
    """Two levels, and two blocks in the middle."""
    unet = build(num_res_blocks=num_res_blocks)
    blocks = [m for m in unet.modules() if isinstance(m, ResBlock)]
    assert len(blocks) == 2 * (2 * num_res_blocks + 1) + 2


def test_dropout_acts_in_training_alone(awaken, z_t, cond):
    unet = awaken(build(res_block=dict(dropout=0.5)))
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


def test_scale_and_shift_arrive():
    """An embedding of their width in every block."""
    unet = build(res_block=dict(scale_shift=True))
    for block in unet.modules():
        if isinstance(block, ResBlock):
            outputs = block.conv2.out_channels
            assert block.embed.out_features == 2 * outputs


def test_residual_blocks_halve_and_double(awaken, z_t, cond):
    """As many parameters of resampling, and none of strided convolution."""
    unet = awaken(build(res_block=dict(updown=True))).eval()
    kinds = {type(m) for m in unet.modules()}
    assert not kinds & {Downsample, Upsample}
    assert unet.down[0].resample.resample is halve
    assert unet.up[0].resample.resample is double
    assert unet.down[-1].resample is None is unet.up[-1].resample
    other = unet(z_t, T + 1, cond)
    assert not torch.allclose(other, unet(z_t, T, cond))


@pytest.mark.parametrize('updown', [False, True])
@pytest.mark.parametrize('size', [(1, 1), (3, 7), (5, 4), (9, 6)])
def test_any_size_goes(awaken, size, updown):
    """Odd ones, at several levels, smaller than the factor."""
    unet = awaken(
        build(channel_mults=(1, 1, 1), res_block=dict(updown=updown))
    ).eval()
    cond = Condition(
        vector=torch.randn(2, 6),
        tokens=torch.randn(2, 3, 8),
        spatial=torch.randn(2, 1, *size),
    )
    z_t = torch.randn(2, 4, *size)
    out = unet(z_t, T, cond)
    assert out.shape == z_t.shape
    # The last row and column are computed from the input, not made up.
    changed = z_t.clone()
    changed[..., -1, -1] += 1
    difference = (unet(changed, T, cond) - out).abs().amax((0, 1))
    assert difference[-1, -1] > 1e-3


def test_a_map_larger_than_in_training_is_convolved():
    """Without attention, far from borders, only the place is another."""
    torch.manual_seed(1)
    unet = DenoisingUNet(3, 3, 64, (1, 1), 1, attn_factors=())
    for weight in unet.parameters():
        nn.init.normal_(weight, std=0.05)
    unet.mid[0].attention = None
    # Group statistics are of the whole map: here all the same.
    for norm in unet.modules():
        if isinstance(norm, nn.GroupNorm):
            norm.forward = lambda x: x
    z_t = torch.randn(1, 3, 96, 80)
    with torch.no_grad():
        whole = unet(z_t, T[:1], Condition())
        part = unet(z_t[..., 16:, :], T[:1], Condition())
    torch.testing.assert_close(
        whole[..., 54:58, 38:42], part[..., 38:42, 38:42], rtol=1e-4, atol=1e-6
    )
    assert not torch.allclose(whole[..., 16, :], part[..., 0, :])


def gradients(unet, *inputs):
    unet.zero_grad()
    torch.manual_seed(3)
    with torch.autocast('cpu', torch.bfloat16):
        out = unet(*inputs)
    out.float().square().sum().backward()
    return {name: p.grad.clone() for name, p in unet.named_parameters()}


@pytest.mark.parametrize('updown', [False, True])
def test_checkpointing_changes_no_number(awaken, z_t, cond, updown):
    """Under autocast, and with the dropout masks of the forward pass."""
    res_block = dict(dropout=0.5, updown=updown)
    unet = awaken(build(res_block=res_block))
    expected = gradients(unet, z_t, T, cond)
    unet.checkpointing = True
    for name, gradient in gradients(unet, z_t, T, cond).items():
        assert torch.equal(gradient, expected[name]), name


def test_checkpointing_keeps_less(awaken, z_t, cond):
    """Bytes of what the forward pass stores for the backward pass."""
    unet = awaken(build())

    def kept():
        sizes = []

        def pack(tensor):
            sizes.append(tensor.nbytes)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            unet(z_t, T, cond)
        return sum(sizes)

    whole = kept()
    unet.checkpointing = True
    assert kept() < 0.5 * whole


def test_bfloat16_autocast_is_close(unet, z_t, cond):
    """Within 2 % of the largest output."""
    with torch.no_grad():
        expected = unet(z_t, T, cond)
        with torch.autocast('cpu', torch.bfloat16):
            out = unet(z_t, T, cond)
    assert out.dtype == torch.float32
    error = (out.float() - expected).abs().max()
    assert error < 0.02 * expected.abs().max()


def is_channels_last(x):
    """Stored so, and not in the usual order too, as with one channel."""
    return x.is_contiguous(memory_format=torch.channels_last) and (
        not x.is_contiguous()
    )


@pytest.mark.parametrize('channels_last', [True, False])
def test_channels_last_is_kept(awaken, cond, channels_last):
    """Through every block, and with the same result."""
    unet = awaken(build(channels_last=channels_last)).eval()
    other = build(channels_last=not channels_last).eval()
    other.load_state_dict(unet.state_dict())
    z_t = torch.randn(2, 4, 4, 6)
    cond = replace(cond, spatial=torch.randn(2, 1, 4, 6))
    maps = {}
    for name, module in unet.named_modules():
        if isinstance(module, ResBlock | SpatialTransformer | nn.Conv2d):
            module.register_forward_hook(
                lambda _, __, out, name=name: maps.update({name: out})
            )
    out = unet(z_t, T, cond)
    torch.testing.assert_close(out, other(z_t, T, cond), rtol=1e-4, atol=1e-5)
    assert maps
    for name, feature_map in maps.items():
        assert is_channels_last(feature_map) == channels_last, name
    assert is_channels_last(unet.conv_in.weight) == channels_last


@pytest.mark.slow
@pytest.mark.parametrize(
    'options', [{}, dict(checkpointing=True, input_skip=True)]
)
def test_compiles_without_a_break(awaken, z_t, cond, options):
    unet = awaken(build(**options)).eval()
    compiled = torch.compile(unet, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(z_t, T, cond), unet(z_t, T, cond))


def inputs(batch, height, width):
    return (
        torch.randn(batch, 4, height, width),
        torch.rand(batch) * 1000,
        Condition(
            vector=torch.randn(batch, 6),
            tokens=torch.randn(batch, 3, 8),
            spatial=torch.randn(batch, 1, height, width),
        ),
    )


def assert_equals(exported, unet, example):
    torch.testing.assert_close(
        exported.module()(*example), unet(*example), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_exports_an_odd_size(unet):
    exported = torch.export.export(unet, inputs(2, 5, 7))
    assert_equals(exported, unet, inputs(2, 5, 7))


@pytest.mark.slow
@pytest.mark.parametrize('input_skip', [False, True])
def test_exports_any_batch_and_any_size_the_factor_divides(awaken, input_skip):
    """Where it does not, the exporter cannot know that nothing is cut off."""
    unet = awaken(build(input_skip=input_skip)).eval()
    batch = {0: torch.export.Dim('batch', min=2, max=64)}
    half = {
        axis: torch.export.Dim(name, min=2, max=256)
        for axis, name in ((2, 'half_height'), (3, 'half_width'))
    }
    sizes = batch | {axis: 2 * dim for axis, dim in half.items()}
    exported = torch.export.export(
        unet,
        inputs(3, 6, 8),
        dynamic_shapes=(sizes, batch, [batch, batch, sizes]),
    )
    assert_equals(exported, unet, inputs(2, 10, 4))


def test_norm_groups_of_one_channel_are_warned_of():
    with pytest.warns(UserWarning, match='cancels the time embedding'):
        build(channels=32)


@pytest.mark.filterwarnings('error')
def test_where_the_embedding_scales_it_is_not_cancelled():
    build(channels=32, res_block=dict(scale_shift=True))


@pytest.mark.parametrize('updown', [False, True])
def test_units_run_as_modules_and_hold_nearly_all_weights(z_t, cond, updown):
    """Weights are gathered in front of a module's call."""
    unet = build(res_block=dict(updown=updown))
    called = []
    for unit in unet.shard_units:
        unit.register_forward_hook(lambda module, *_: called.append(module))
    unet(z_t, T, cond)
    assert {*called} == {*unet.shard_units}
    assert len(called) == len(unet.shard_units)
    inside = {w for unit in unet.shard_units for w in unit.parameters()}
    outside = {
        name.partition('.')[0]
        for name, weight in unet.named_parameters()
        if weight not in inside
    }
    assert outside == {'time_embed', 'vector_embed', 'conv_in', 'out'}
