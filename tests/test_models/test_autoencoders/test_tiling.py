from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from mmldm.models.autoencoders.codec import Decoder, Encoder
from mmldm.models.autoencoders.tiling import tiled_forward
from mmldm.models.layers import SelfAttention2d, compile_blocks

both = pytest.mark.parametrize('codec', [Encoder, Decoder])


def build(codec, channel_mults=(1, 1, 1), attn_factors=(), attention=False):
    """A net whose norms scale and shift at random."""
    torch.manual_seed(0)
    net = codec(4, 32, channel_mults, 1, attn_factors, attention, 8)
    for module in net.modules():
        if isinstance(module, nn.GroupNorm):
            nn.init.normal_(module.weight, mean=1)
            nn.init.normal_(module.bias)
    return net


def draw(codec, height, width, batch_size=1):
    """An input whose left is ten times as strong; size of the image."""
    if codec is Encoder:
        x = torch.randn(batch_size, 3, height, width)
    else:
        x = torch.randn(batch_size, 4, height // 4, width // 4)
    x[..., : x.shape[3] // 2] *= 10
    return x


def assert_same(tiled, whole, tol):
    assert tiled.dtype == whole.dtype
    torch.testing.assert_close(
        tiled, whole, rtol=0, atol=tol * whole.abs().max().item()
    )


@torch.no_grad()
@both
@pytest.mark.parametrize(
    'height, width, tile_size',
    [
        pytest.param(128, 64, 64, id='tiles that divide the image'),
        pytest.param(68, 132, 65, id='odd tiles and a rest'),
        pytest.param(72, 20, 71, id='one tile, not much smaller'),
        pytest.param(12, 140, 64, id='lower than a tile'),
    ],
)
def test_tiles_are_the_whole(codec, height, width, tile_size):
    """In float64, where nothing but rounding is below the tolerance."""
    net, x = build(codec).double(), draw(codec, height, width).double()
    assert_same(tiled_forward(net, x, tile_size), net(x), 1e-12)


@torch.no_grad()
@both
def test_tiles_are_the_whole_in_float32(codec):
    net, x = build(codec, (1, 2, 1)), draw(codec, 68, 72, batch_size=2)
    assert_same(tiled_forward(net, x, 64), net(x), 1e-5)
    net, x = (m.to(memory_format=torch.channels_last) for m in (net, x))
    assert_same(tiled_forward(net, x, 64), net(x), 1e-5)


@torch.no_grad()
@both
def test_a_tile_of_its_own_statistics_has_other_colours(codec):
    """Why there is this module; its left half is far from any seam."""
    net, x = build(codec), draw(codec, 64, 256)
    left = net(x[..., : x.shape[3] // 2])
    middle = slice(left.shape[3] // 4, left.shape[3] // 2)
    whole = net(x)[..., middle]
    error = (left[..., middle] - whole).abs().max() / whole.abs().max()
    assert error > 0.05
    assert_same(tiled_forward(net, x, 128)[..., middle], whole, 1e-5)


@torch.no_grad()
@both
@pytest.mark.parametrize('attn_factors', [(), (1,), (2, 4)])
def test_attention_attends_to_the_whole(codec, attn_factors):
    net = build(codec, attn_factors=attn_factors, attention=True).double()
    x = draw(codec, 32, 68).double()
    assert_same(tiled_forward(net, x, 64), net(x), 1e-12)


@torch.no_grad()
@pytest.mark.parametrize('height, width', [(101, 67), (66, 129)])
def test_an_encoder_drops_odd_rests_as_it_does_with_a_whole(height, width):
    net, x = build(Encoder).double(), draw(Encoder, height, width).double()
    assert_same(tiled_forward(net, x, 64), net(x), 1e-12)


@torch.no_grad()
@both
@pytest.mark.parametrize('autocast', [True, False])
def test_bfloat16_rounds_no_more_than_with_a_whole(codec, autocast):
    """As autocast does it, and with weights of that dtype."""
    net, x = build(codec), draw(codec, 68, 72)
    exact = net(x)
    if not autocast:
        net, x = net.bfloat16(), x.bfloat16()
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        whole, tiled = net(x), tiled_forward(net, x, 64)
    assert tiled.dtype == whole.dtype
    error, unavoidable = (
        (y - exact).square().mean().sqrt() for y in (tiled, whole)
    )
    assert error < 1.05 * unavoidable


@torch.no_grad()
def test_a_norm_has_the_dtype_that_torch_gives_it(monkeypatch):
    """Under autocast on GPUs, float32, imitated here."""
    group_norm = torch.group_norm
    monkeypatch.setattr(
        torch, 'group_norm', lambda *args: group_norm(*args).float()
    )
    net = nn.Sequential(nn.GroupNorm(32, 32)).bfloat16()
    x = torch.randn(1, 32, 65, 2).bfloat16()
    assert_same(tiled_forward(net, x, 64), net(x), 1e-2)


@torch.no_grad()
def test_variances_survive_a_large_mean():
    """In float32, E[x^2] - E[x]^2 is here 0 or 8 and more, instead of 1."""
    net = nn.Sequential(nn.GroupNorm(32, 32), nn.Conv2d(32, 1, 1))
    x = 1e4 + torch.randn(1, 32, 70, 70)
    tiled = tiled_forward(net, x, 64)
    assert_same(tiled.double(), net.double()(x.double()), 1e-2)


class Sizes(TorchFunctionMode):
    """Notes the number of elements of the largest tensor that is made."""

    largest = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.largest = max(self.largest, out.numel())
        return out


def trace(net, run):
    """Multiplications of all convolutions, largest input, largest tensor."""
    work, inputs = [], []

    def note(conv, args, out):
        work.append(out.numel() * conv.weight[0].numel())
        inputs.append(args[0].numel())

    handles = [
        module.register_forward_hook(note)
        for module in net.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.no_grad(), Sizes() as sizes:
        run()
    for handle in handles:
        handle.remove()
    return sum(work), max(inputs), sizes.largest


@pytest.mark.parametrize(
    'codec, channels, repetition', [(Encoder, 128, 2.2), (Decoder, 256, 3.6)]
)
def test_tiles_bound_memory_and_work(codec, channels, repetition, monkeypatch):
    """Of the published f = 4; the meta device computes nothing but sizes.

    Only tiles are at the resolution of the image, with a halo of 8 and one
    of padding. The largest map that is stored is at half of it.
    """
    # Which meta tensors do not have.
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda *_: False)
    with torch.device('meta'):
        net = codec(4, 128, (1, 2, 4), 2, (), False, 32)
        x = draw(codec, 768, 768)
    work, largest_input, _ = trace(net, lambda: net(x))
    assert largest_input >= channels * 768**2
    tiled_work, largest_input, largest = trace(
        net, lambda: tiled_forward(net, x, 256)
    )
    assert largest_input <= channels * (256 + 2 * 8 + 1) ** 2
    assert largest == channels * 384**2
    assert tiled_work <= repetition * work


@torch.no_grad()
def test_only_attention_looks_at_whole_maps():
    """The convolutions before and after it have tiles with a halo of 2."""
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        SelfAttention2d(32, zero_out=False),
        nn.Conv2d(32, 32, 3, padding=1),
    ).double()
    x = draw(Encoder, 32, 160).double()
    assert_same(tiled_forward(net, x, 64), net(x), 1e-12)
    _, largest_input, _ = trace(net, lambda: tiled_forward(net, x, 64))
    assert largest_input == 32 * 32 * (64 + 2 * 2)


@torch.no_grad()
def test_a_single_level_stores_its_result_alone():
    net = build(Encoder, (1,))
    x = draw(Encoder, 64, 704)
    _, _, largest = trace(net, lambda: tiled_forward(net, x, 64))
    assert largest == 4 * 64 * 704


@torch.no_grad()
@pytest.mark.parametrize('position', [0, -1])
def test_a_failure_leaves_the_net_as_it_was(position):
    """While statistics are gathered, and when the last tiles are made."""
    net, x = build(Decoder), draw(Decoder, 68, 72)
    before = net(x)

    def fail(*args):
        raise RuntimeError('out of memory')

    conv = [m for m in net.modules() if isinstance(m, nn.Conv2d)][position]
    handle = conv.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match='out of memory'):
        tiled_forward(net, x, 64)
    handle.remove()
    assert torch.equal(net(x), before)


@both
def test_what_is_not_larger_than_a_tile_is_not_tiled(codec):
    """Training on crops of at most that size has its gradients."""
    net, x = build(codec), draw(codec, 64, 32)
    out = tiled_forward(net, x, 64)
    assert torch.equal(out, net(x))
    out.sum().backward()
    assert net[0].weight.grad is not None


def test_what_tiles_cannot_do_is_refused():
    x = draw(Decoder, 68, 32)
    with pytest.raises(ValueError, match='tile_size=63 .* to 64 or more'):
        tiled_forward(build(Decoder), x, 63)
    with pytest.raises(ValueError, match='68 pixels .* torch.no_grad()'):
        tiled_forward(build(Decoder), x, 64)
    net = nn.Sequential(nn.Sequential(nn.AdaptiveAvgPool2d(1)))
    with pytest.raises(ValueError, match='AdaptiveAvgPool2d .*=None'):
        tiled_forward(net, x, 64)


@torch.no_grad()
def test_compiled_blocks_are_tiled_too():
    net, x = build(Decoder).double(), draw(Decoder, 72, 20).double()
    whole = net(x)
    compile_blocks(net, backend='eager')
    assert_same(tiled_forward(net, x, 71), whole, 1e-12)
