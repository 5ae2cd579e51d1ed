import math

import pytest
import torch
from torch import nn

from mmldm.models.conditioners import (
    BoxEmbedder,
    Conditioner,
    LayoutTokens,
)
from mmldm.models.denoisers import DenoisingUNet
from mmldm.structures import Condition, LDMDataSample

OBJECTS = [
    (3, (0.1, 0.2, 0.3, 0.4)),
    (1, (0.0, 0.0, 1.0, 1.0)),
    (3, (0.5, 0.25, 0.25, 0.125)),
]
KEEP = torch.tensor([False])


def build(**overrides):
    sizes = dict(num_classes=5, embed_dim=6, max_objects=4, hidden_dim=16)
    model = BoxEmbedder(**sizes | overrides)
    nn.init.normal_(model.null)  # as if trained
    return model


def tokens(model, *layouts):
    samples = [LDMDataSample(layout=layout) for layout in layouts]
    return model(samples, torch.zeros(len(samples), dtype=torch.bool))


def fed(model, *layouts):
    """What the MLP is given."""
    calls = []
    handle = model.mlp.register_forward_pre_hook(
        lambda _, args: calls.append(args[0])
    )
    tokens(model, *layouts)
    handle.remove()
    return calls[0]


@pytest.mark.parametrize('num_frequencies', [8, 3])
def test_a_token_is_of_the_class_and_the_corners(num_frequencies):
    """Li et al. 2023, eq. 5, written out."""
    model = build(num_frequencies=num_frequencies)
    (row,) = fed(model, OBJECTS)
    for (label, (x, y, w, h)), found in zip(OBJECTS, row, strict=False):
        expected = model.class_embed.weight[label].tolist()
        for place in (x, y, x + w, y + h):
            angles = [
                place * 100 ** (k / num_frequencies)
                for k in range(num_frequencies)
            ]
            expected += [math.sin(angle) for angle in angles]
            expected += [math.cos(angle) for angle in angles]
        torch.testing.assert_close(found, torch.tensor(expected))
    found = tokens(model, OBJECTS)[0, :3]
    first, second, last = model.mlp[::2]
    h = nn.functional.silu(first(row[:3]))
    h = nn.functional.silu(second(h))
    torch.testing.assert_close(found, last(h))


def test_missing_objects_are_the_null_token():
    model = build()
    found = tokens(model, OBJECTS, [], OBJECTS[:1])
    missing = torch.tensor([3, 0, 1])[:, None] <= torch.arange(4)
    assert torch.equal(found[missing], model.null.expand(8, -1))
    assert not (found[~missing] == model.null).any()


def test_a_dropped_layout_is_all_null_and_need_not_be_there():
    model = build()
    samples = [LDMDataSample(layout=OBJECTS), LDMDataSample()]
    found = model(samples, torch.tensor([False, True]))
    assert torch.equal(found[:1], tokens(model, OBJECTS))
    assert torch.equal(found[1], model.null.expand(4, -1))


def test_permuted_objects_are_permuted_tokens():
    model = build()
    whole = tokens(model, OBJECTS)[0]
    order = [2, 0, 1]
    permuted = tokens(model, [OBJECTS[i] for i in order])[0]
    torch.testing.assert_close(permuted, whole[[*order, 3]])


@pytest.mark.parametrize('place', range(4))
def test_boxes_are_continuous(place):
    """Small moves are small changes, where a grid knows none."""
    model = build().double()
    label, box = OBJECTS[0]

    def moved(by):
        other = list(box)
        other[place] += by
        return [(label, other)]

    def change(by):
        return (tokens(model, moved(by)) - tokens(model, moved(0))).norm()

    grid = LayoutTokens(num_classes=5)
    same = [LDMDataSample(layout=moved(by)) for by in (0, 1e-3)]
    assert torch.equal(grid(same[:1], KEEP), grid(same[1:], KEEP))
    assert change(1e-3) > 1e-4
    assert (change(1e-3) / change(1e-4)).item() == pytest.approx(10, rel=0.1)


def test_boxes_are_not_rounded_with_the_model():
    """bfloat16 has no step of a thousandth of an image at its middle."""
    model = build()
    layouts = [[(0, (0.5, 0.5, width, 0.4))] for width in (0.4, 0.401)]
    exact = fed(model, *layouts)
    found = fed(model.bfloat16(), *layouts)
    assert torch.equal(found, exact.bfloat16())
    assert not torch.equal(found[0], found[1])
    assert tokens(model, *layouts).dtype == torch.bfloat16


def test_sizes_arrive():
    model = build(max_objects=7, embed_dim=10, hidden_dim=12, num_classes=2)
    assert tokens(model, OBJECTS[1:2]).shape == (1, 7, 10)
    assert model.class_embed.weight.shape == (2, 10)
    assert [layer.weight.shape for layer in model.mlp[::2]] == [
        (12, 10 + 8 * 8),
        (12, 12),
        (10, 12),
    ]
    conditioner = Conditioner(
        [dict(type='BoxEmbedder', num_classes=2, embed_dim=10)]
    )
    assert conditioner.dim('tokens') == 10
    assert conditioner.reads == ('layout',)
    null = conditioner.null([LDMDataSample()]).tokens
    assert torch.equal(null, torch.zeros(1, 30, 10))


@pytest.mark.parametrize(
    'layout', [OBJECTS + OBJECTS[:1], []], ids=['full', 'empty']
)
def test_every_weight_has_a_gradient_whatever_is_shown(layout):
    """Data parallelism waits for it."""
    model = build()
    tokens(model, layout).square().sum().backward()
    assert all(w.grad is not None for w in model.parameters())
    learns = {n for n, w in model.named_parameters() if w.grad.any()}
    shown = {n for n, _ in model.named_parameters()} - {'null'}
    assert learns == (shown if layout else {'null'})


def test_the_denoiser_knows_no_order_of_objects(awaken):
    """It attends to them, and they say where they are themselves."""
    unet = awaken(
        DenoisingUNet(
            in_channels=4,
            out_channels=4,
            channels=64,
            channel_mults=(1,),
            num_res_blocks=1,
            attn_factors=(1,),
            context_dim=6,
        )
    ).double()
    model = build().double()
    z_t = torch.randn(1, 4, 4, 4).double()

    def predicted(layout):
        condition = Condition(tokens=tokens(model, layout))
        return unet(z_t, torch.tensor([500]), condition)

    usual = predicted(OBJECTS)
    torch.testing.assert_close(predicted(OBJECTS[::-1]), usual)
    (label, (x, *rest)), *others = OBJECTS
    moved = predicted([(label, (x + 0.1, *rest)), *others])
    assert (moved - usual).abs().max() > 1e-3


@pytest.mark.parametrize(
    'key',
    ['num_classes', 'embed_dim', 'max_objects', 'num_frequencies']
    + ['hidden_dim'],
)
def test_sizes_that_are_none_are_refused(key):
    with pytest.raises(ValueError, match=f'BoxEmbedder.{key}=0 must be'):
        build(**{key: 0})
