import math

import numpy as np
import pytest

from mmldm.toy_data.shape_scene import (
    CLASSES,
    COLOURS,
    SHAPES,
    WORDS,
    Scene,
    SceneObject,
    caption_labels,
    coverage,
)

RED_CIRCLE, BLUE_CROSS = (
    CLASSES.index(name) for name in ('red circle', 'blue cross')
)
TWO = (
    SceneObject(RED_CIRCLE, (0.125, 0.25, 0.25, 0.25)),
    SceneObject(BLUE_CROSS, (0.5, 0.5, 0.375, 0.375)),
)


@pytest.mark.parametrize(
    'shape, area, middle',
    [
        ('circle', math.pi / 4, 1 / 2),
        ('square', 1, 1 / 2),
        ('triangle', 1 / 2, 2 / 3),
        ('cross', 5 / 9, 1 / 2),
    ],
)
def test_shapes_have_their_area_and_centroid(shape, area, middle):
    """Of a box 10 x 20 pixels large with its corner at (5, 8)."""
    share = coverage(shape, (5 / 40, 8 / 40, 10 / 40, 20 / 40), 40)
    assert share.sum() == pytest.approx(200 * area, rel=4e-3)
    y, x = (np.mgrid[:40, :40] + 0.5) * share / share.sum()
    assert x.sum() == pytest.approx(5 + 10 / 2, abs=0.02)
    assert y.sum() == pytest.approx(8 + 20 * middle, abs=0.02)


def test_a_pixel_is_covered_in_part():
    share = coverage('square', (0.25 / 8, 2 / 8, 0.5, 1 / 8), 8)
    expected = np.zeros((8, 8))
    expected[2, :5] = 0.75, 1, 1, 1, 0.25
    assert abs(share - expected).max() < 0.05


def test_what_reaches_beyond_the_image_is_cut_off():
    share = coverage('square', (-0.5, 0.75, 1.0, 1.0), 8)
    assert np.array_equal(np.argwhere(share == 1), np.argwhere(share > 0))
    assert np.array_equal(share[6:, :4], np.ones((2, 4)))
    assert share.sum() == 8
    assert not coverage('square', (1.5, 0, 1, 1), 8).any()


def test_no_shape_covers_half_of_a_pixel():
    """Which side of the edge of a map it is on would be a matter of chance."""
    for shape in SHAPES:
        for box in np.random.rand(20, 4):
            assert not (coverage(shape, box, 8) == 0.5).any()


@pytest.mark.parametrize(
    'count, caption',
    [
        (1, 'a red circle'),
        (2, 'a red circle and a blue cross'),
        (3, 'a red circle, a blue cross and a red circle'),
    ],
)
def test_a_caption_names_the_objects_in_their_order(count, caption):
    scene = Scene((*TWO, TWO[0])[:count], (50, 0, 0))
    assert scene.caption == caption
    assert (
        caption_labels(caption)
        == [
            RED_CIRCLE,
            BLUE_CROSS,
            RED_CIRCLE,
        ][:count]
    )
    assert {*caption.replace(',', '').split()} <= {*WORDS}


def test_an_object_that_cannot_be_drawn_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="'a rod circle'.*mean 'a red circle"):
        caption_labels('a blue cross and a rod circle')


def test_a_picture_shows_the_objects_on_their_ground():
    image, labels = Scene(TWO, (50, 8, -16)).render(32)
    assert image.dtype == labels.dtype == np.uint8
    assert image.shape == (32, 32, 3)
    assert tuple(image[12, 8]) == COLOURS['red']
    assert tuple(image[22, 22]) == COLOURS['blue']
    assert labels[12, 8] == RED_CIRCLE + 1
    assert labels[22, 22] == BLUE_CROSS + 1
    # Corners are half a pixel from where the grey has risen by all.
    rise = np.array([[-1, 1], [-1, 1]]) * 4 * 31 / 32
    fall = -np.array([[-1, -1], [1, 1]]) * 8 * 31 / 32
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]].reshape(2, 2, 3)
    assert abs(corners - (50 + rise + fall)[..., None]).max() <= 0.5
    assert not labels[[0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_a_map_has_every_pixel_that_is_covered_by_half():
    labels = Scene(TWO, (50, 0, 0)).render(32)[1]
    for item in TWO:
        share = coverage(item.shape, item.box, 32)
        assert np.array_equal(labels == item.label + 1, share > 0.5)


def test_an_edge_is_a_mixture():
    item = SceneObject(CLASSES.index('green square'), (0.25, 0.25, 0.28, 0.5))
    image = Scene((item,), (40, 0, 0)).render(16)[0]
    share = coverage('square', item.box, 16)[6, 8]
    assert 0.4 < share < 0.55
    expected = 40 + share * (np.array(COLOURS['green']) - 40)
    assert abs(image[6, 8] - expected).max() <= 0.5


def test_colours_are_as_far_apart_as_is_said():
    colours = np.array([*COLOURS.values()])
    gaps = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert gaps[~np.eye(len(colours), dtype=bool)].min() > 150
    greys = np.arange(110)[:, None].repeat(3, 1)
    assert np.linalg.norm(colours[:, None] - greys, axis=-1).min() > 122
