from dataclasses import replace

import pytest
import torch

from mmldm.models.denoisers import DiffusionTransformer
from mmldm.registry import MODELS
from mmldm.structures import Condition


def build(**overrides):
    return DiffusionTransformer(
        **{
            **dict(
                in_channels=5,
                out_channels=4,
                channels=32,
                num_layers=2,
                num_heads=2,
                context_dim=8,
                vector_dim=6,
            ),
            **overrides,
        }
    )


CLASSES = dict(
    type='ClassEmbedder', num_classes=10, embed_dim=8, slot='vector'
)
ALL = dict(positions='rotary', feed_forward='swiglu', qk_norm=True)


@pytest.fixture(params=[{}, ALL], ids=['dit', 'all options'])
def transformer(awaken, request):
    return awaken(build(**request.param)).eval()


@pytest.fixture
def z_t():
    return torch.randn(2, 4, 4, 6)


T = torch.tensor([10.0, 900.0])


@pytest.fixture
def cond():
    return Condition(
        vector=torch.randn(2, 6),
        tokens=torch.randn(2, 3, 8),
        tokens_mask=torch.tensor([[True, True, False]] * 2),
        spatial=torch.randn(2, 1, 4, 6),
    )


def test_an_untrained_network_outputs_zero(z_t, cond):
    assert not build()(z_t, T, cond).any()


def test_all_blocks_start_as_the_identity(z_t, cond):
    """What reaches the last layer is what entered the first block."""
    transformer = build()
    seen = []
    for module in (transformer.blocks[0], transformer.out):
        module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    transformer(z_t, T, cond)
    assert torch.equal(*seen)


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
def test_every_slot_arrives(transformer, z_t, cond, slot):
    other = replace(cond, **{slot: change(getattr(cond, slot))})
    assert_second_sample_alone_differs(
        transformer(z_t, T, other), transformer(z_t, T, cond)
    )


def test_latent_and_time_arrive(transformer, z_t, cond):
    out = transformer(z_t, T, cond)
    for inputs in ((change(z_t), T), (z_t, torch.tensor([10.0, 900.5]))):
        assert_second_sample_alone_differs(transformer(*inputs, cond), out)


def test_a_masked_token_does_not_matter(transformer, z_t, cond):
    tokens = cond.tokens.clone()
    tokens[:, 2] += 1
    torch.testing.assert_close(
        transformer(z_t, T, replace(cond, tokens=tokens)),
        transformer(z_t, T, cond),
    )


@pytest.mark.parametrize('options', [{}, ALL])
def test_every_weight_takes_part(awaken, z_t, cond, options):
    """A single token too, whose softmax needs no query."""
    for tokens in (cond.tokens, cond.tokens[:, :1]):
        transformer = awaken(build(**options))
        told = replace(cond, tokens=tokens, tokens_mask=None)
        transformer(z_t, T, told).square().sum().backward()
        for name, weight in transformer.named_parameters():
            assert weight.grad is not None, name


@pytest.mark.parametrize('positions', ['sine', 'rotary'])
def test_tokens_know_where_they_lie(awaken, positions):
    """Patches in another order give another result."""
    network = awaken(
        build(
            in_channels=4,
            context_dim=None,
            vector_dim=None,
            positions=positions,
            patch_size=1,
        )
    ).eval()
    z_t = torch.randn(1, 4, 4, 4)
    turned = network(z_t.flip(3), T[:1], Condition()).flip(3)
    assert (turned - network(z_t, T[:1], Condition())).abs().max() > 1e-3


@pytest.mark.parametrize('patch_size, size', [(1, (3, 5)), (2, (2, 8))])
def test_any_size_that_patches_divide_goes(awaken, patch_size, size):
    """The last row and column are computed from the input."""
    network = awaken(build(patch_size=patch_size)).eval()
    cond = Condition(
        vector=torch.randn(2, 6),
        tokens=torch.randn(2, 3, 8),
        spatial=torch.randn(2, 1, *size),
    )
    z_t = torch.randn(2, 4, *size)
    changed = z_t.clone()
    changed[..., -1, -1] += 1
    difference = network(changed, T, cond) - network(z_t, T, cond)
    assert difference.shape == z_t.shape
    assert difference.abs().amax((0, 1))[-1, -1] > 1e-3


def test_a_size_that_patches_do_not_divide_is_refused(transformer, cond):
    cond = replace(cond, spatial=torch.randn(2, 1, 4, 5))
    with pytest.raises(ValueError, match='patch_size=2 does not divide lat'):
        transformer(torch.randn(2, 4, 4, 5), T, cond)


def test_the_class_counts_from_the_second_step_on(ldm_config, labelled):
    """The first step moves the last layer alone: all else is gated by 0."""
    denoiser = dict(
        type='DiffusionTransformer',
        in_channels=4,
        out_channels=4,
        channels=16,
        num_layers=1,
        num_heads=2,
        vector_dim=8,
    )
    model = MODELS.build(
        ldm_config(
            denoiser=dict(denoiser, _delete_=True),
            conditioner=dict(embedders=[CLASSES]),
        )
    )
    samples = [labelled(i, address=(0, i)) for i in range(2)]
    inputs = torch.rand(2, 3, 8, 8) * 2 - 1
    optimizer = torch.optim.SGD(model.denoiser.parameters(), lr=1.0)
    z_t = torch.randn(1, 4, 4, 4).expand(2, -1, -1, -1)
    apart = []
    for _ in range(2):
        model.loss(inputs, samples)['loss_denoise'].backward()
        optimizer.step()
        out = model.denoiser(z_t, T[:1].expand(2), model.conditioner(samples))
        assert out.any()
        apart.append((out[0] - out[1]).abs().max().item())
    assert apart[0] == 0 < apart[1]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(channels=0), 'denoiser.channels=0 must be a whole number'),
        (dict(patch_size=0), 'denoiser.patch_size=0 must be a whole number'),
        (dict(num_layers=1.5), 'denoiser.num_layers=1.5 must be a whole'),
        (dict(num_heads=5), 'num_heads=5: set denoiser.channels to 30 or 35'),
        (
            dict(channels=36, num_heads=2, positions='rotary'),
            r'channels=36 is not divisible by .*: set denoiser.channels to 32',
        ),
        (dict(channels=34), 'set denoiser.channels to 32 or 36'),
        (dict(positions='sin'), "denoiser.positions='sin' is not known"),
        (dict(feed_forward='mlp'), 'Valid names: gelu, swiglu'),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_a_vector_of_the_tokens_width_is_added_as_it_is(awaken, z_t, cond):
    """As the published networks add the embedding of a class."""
    network = awaken(build(vector_dim=32)).eval()
    assert network.vector_embed is None
    seen = []
    network.blocks[0].register_forward_pre_hook(
        lambda _, args: seen.append(args[1])
    )
    vector = torch.randn(2, 32)
    network(z_t, T, replace(cond, vector=vector))
    torch.testing.assert_close(seen[0], network.time_embed(T) + vector)


def test_checkpointing_changes_no_number_and_keeps_less(awaken, z_t, cond):
    """Under autocast."""
    network = awaken(build(**ALL))
    gradients, sizes = [], []

    def pack(tensor):
        sizes[-1] += tensor.nbytes
        return tensor

    for network.checkpointing in (False, True):
        sizes.append(0)
        network.zero_grad()
        hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x)
        with hooks, torch.autocast('cpu', torch.bfloat16):
            out = network(z_t, T, cond)
        out.square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    for expected, found in zip(*gradients, strict=True):
        assert torch.equal(expected, found)
    assert sizes[1] < 0.7 * sizes[0]


def test_bfloat16_is_close(transformer, z_t, cond):
    """Under autocast and in weights of bfloat16, 3 % of the largest output."""
    with torch.no_grad():
        expected = transformer(z_t, T, cond)
        with torch.autocast('cpu', torch.bfloat16):
            out = transformer(z_t, T, cond)
        assert out.dtype == torch.float32
        told = Condition(
            *(
                x if x.dtype == torch.bool else x.bfloat16()
                for x in (
                    cond.vector,
                    cond.tokens,
                    cond.tokens_mask,
                    cond.spatial,
                )
            )
        )
        low = transformer.bfloat16()(z_t.bfloat16(), T, told)
    for found in (out, low.float()):
        error = (found - expected).abs().max()
        assert error < 0.03 * expected.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize('options', [{}, ALL, dict(checkpointing=True)])
def test_compiles_without_a_break(awaken, z_t, cond, options):
    network = awaken(build(**options)).eval()
    compiled = torch.compile(network, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(
        compiled(z_t, T, cond), network(z_t, T, cond), rtol=1e-4, atol=1e-5
    )


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


@pytest.mark.slow
@pytest.mark.parametrize('options', [{}, ALL])
def test_exports_any_batch_and_any_size_that_patches_divide(awaken, options):
    network = awaken(build(**options)).eval()
    batch = {0: torch.export.Dim('batch', min=2, max=64)}
    half = {
        axis: torch.export.Dim(name, min=2, max=256)
        for axis, name in ((2, 'half_height'), (3, 'half_width'))
    }
    sizes = batch | {axis: 2 * dim for axis, dim in half.items()}
    exported = torch.export.export(
        network,
        inputs(3, 6, 8),
        dynamic_shapes=(sizes, batch, [batch, batch, sizes]),
    )
    example = inputs(2, 10, 4)
    torch.testing.assert_close(
        exported.module()(*example), network(*example), rtol=1e-4, atol=1e-5
    )
