import pytest
import torch

from mmldm.models.conditioners import BoxMap, Conditioner
from mmldm.structures import LDMDataSample

SIZE = (16, 24)
KEEP = torch.tensor([False])


def build(**options):
    return BoxMap(**dict(num_classes=3, num_stages=2, embed_dim=5) | options)


def sample(*layout, size=SIZE):
    return LDMDataSample(metainfo=dict(img_shape=size), layout=[*layout])


def told(model, *layout):
    return model([sample(*layout)], KEEP)[0]


def test_a_box_on_positions_is_its_class_there_and_nothing_elsewhere():
    model = build()
    # Rows 1 and 2 of 4, columns 3 to 5 of 6.
    found = told(model, (2, (0.5, 0.25, 0.5, 0.5)))
    expected = torch.zeros(5, 4, 6)
    expected[:, 1:3, 3:] = model.class_embed.weight[2, :, None, None]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('num_stages, shape', [(0, (16, 24)), (3, (2, 3))])
def test_it_is_as_large_as_the_latent(num_stages, shape):
    assert told(build(num_stages=num_stages)).shape == (5, *shape)


def test_what_a_box_covers_in_part_counts_in_part():
    """Against pixels of a hundredth, counted."""
    model = build()
    x, y, w, h = 0.13, 0.29, 0.41, 0.37
    v, u = torch.meshgrid(
        (torch.arange(1600) + 0.5) / 1600,
        (torch.arange(2400) + 0.5) / 2400,
        indexing='ij',
    )
    inside = (u >= x) & (u < x + w) & (v >= y) & (v < y + h)
    shares = torch.nn.functional.avg_pool2d(inside[None].float(), 400)
    found = told(model, (1, (x, y, w, h)))
    expected = model.class_embed.weight[1][:, None, None] * shares
    torch.testing.assert_close(found, expected, rtol=0, atol=0.01)


def test_objects_add_up_in_any_order():
    model = build()
    one, two = (0, (0.1, 0.1, 0.5, 0.6)), (2, (0.3, 0.2, 0.6, 0.7))
    both = told(model, one, two)
    torch.testing.assert_close(both, told(model, one) + told(model, two))
    torch.testing.assert_close(both, told(model, two, one))
    torch.testing.assert_close(told(model, one, one), 2 * told(model, one))


def test_the_margin_of_a_size_that_is_no_multiple_is_covered_too():
    model = build()
    found = model([sample((1, (0, 0, 1, 1)), size=(5, 4))], KEEP)[0]
    weight = model.class_embed.weight[1]
    torch.testing.assert_close(found[:, 0, 0], weight)
    torch.testing.assert_close(found[:, 1, 0], weight / 4)


def test_null_is_zeros_and_what_is_dropped_is_null():
    conditioner = Conditioner(
        [dict(type='BoxMap', num_classes=3, num_stages=2, embed_dim=5)]
    )
    samples = [sample((1, (0, 0, 1, 1))), sample((1, (0, 0, 1, 1)))]
    (embedder,) = conditioner.embedders
    dropped = embedder(samples, torch.tensor([True, False]))
    assert not dropped[0].any() and dropped[1].all()
    assert not conditioner.null(samples).spatial.any()


def test_every_weight_learns_in_every_batch():
    model = build()
    told(model).sum().backward()
    assert model.class_embed.weight.grad is not None


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(num_classes=0), 'BoxMap.num_classes'),
        (dict(embed_dim=0), 'BoxMap.embed_dim'),
    ],
)
def test_wrong_sizes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        build(**wrong)


@pytest.mark.parametrize(
    'given, message',
    [
        (sample((3, (0, 0, 1, 1))), r'class 3, .* set BoxMap.num_classes'),
        (sample((1, (0.5, 0, 1, 1))), 'the box of object 0'),
        (LDMDataSample(layout=[]), 'no img_shape, which BoxMap needs'),
        (LDMDataSample(metainfo=dict(img_shape=SIZE)), 'has no layout'),
    ],
)
def test_what_is_wrong_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        build()([given], KEEP)
