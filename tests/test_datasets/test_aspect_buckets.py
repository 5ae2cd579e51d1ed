import itertools

import numpy as np
import pytest

from mmldm.datasets import AspectBuckets
from mmldm.datasets.aspect_buckets import covering, nearest_sizes


def test_sizes_have_the_area_and_the_step():
    assert AspectBuckets(step=32).sizes(256) == [
        (192, 320),
        (224, 288),
        (256, 256),
        (288, 224),
        (320, 192),
    ]


@pytest.mark.parametrize('size', [96, 256, (192, 320), 250, 1024])
@pytest.mark.parametrize('step', [8, 16])
@pytest.mark.parametrize('max_ratio', [1.5, 2.0, 4.0])
def test_sizes_are_as_large_as_the_area_allows(size, step, max_ratio):
    area = size**2 if isinstance(size, int) else size[0] * size[1]
    sizes = AspectBuckets(step, max_ratio).sizes(size)
    assert {(w, h) for h, w in sizes} == {*sizes}
    for h, w in sizes:
        assert h % step == w % step == 0
        assert max(h / w, w / h) <= max_ratio
        assert h * w <= area < min(h * (w + step), (h + step) * w)
    assert [*sizes] == sorted(sizes)


@pytest.mark.parametrize(
    'kwargs, remedy',
    [
        (dict(step=64), 'buckets.step=64 .* 1 sizes .* smaller step'),
        (dict(step=16, max_ratio=1.0), 'larger max_ratio'),
        (dict(step=128), '0 sizes'),
    ],
)
def test_a_single_size_is_refused(kwargs, remedy):
    with pytest.raises(ValueError, match=remedy):
        AspectBuckets(**kwargs).sizes(64)


def test_buckets_without_an_area_are_refused():
    with pytest.raises(ValueError, match='set train_dataloader.dataset.size'):
        AspectBuckets(step=8).sizes(None)


@pytest.mark.parametrize('value', [0, -8, 1.5, True])
def test_a_step_is_a_whole_number(value):
    with pytest.raises(ValueError, match='AspectBuckets.step'):
        AspectBuckets(step=value)


def test_an_image_takes_the_size_that_it_loses_least_by():
    sizes = AspectBuckets(step=32, max_ratio=4.0).sizes(256)
    sides = [30, 77, 250, 256, 333, 640, 3000]
    shapes = np.array([*itertools.product(sides, sides)])
    chosen = nearest_sizes(shapes, sizes)
    every = [
        covering(shapes, np.broadcast_to(size, shapes.shape))[1]
        for size in np.array(sizes)
    ]
    own = covering(shapes, np.array(sizes)[chosen])[1]
    np.testing.assert_allclose(own, np.min(every, axis=0), atol=1e-12)


def test_covering_is_what_resizing_and_cropping_do():
    """A panorama of 10:1 keeps 1.67 / 10 in a size of 192x320."""
    factors, lost = covering(
        np.array([[100, 1000], [192, 320], [96, 160]]),
        np.array([[192, 320]] * 3),
    )
    np.testing.assert_allclose(factors, [1.92, 1, 2])
    np.testing.assert_allclose(lost, [1 - 320 / 192 / 10, 0, 0], atol=1e-12)
