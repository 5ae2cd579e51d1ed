import cv2
import numpy as np
import pytest

from mmldm.toy_data.scene_analysis import find_objects, found_labels
from mmldm.toy_data.shape_scene import (
    CLASSES,
    COLOURS,
    SHAPES,
    Scene,
    SceneObject,
)


def label(name):
    return CLASSES.index(name)


def picture(*objects, size=32, grey=(50, 10, -10)):
    """Of (name, box)."""
    items = [SceneObject(label(name), box) for name, box in objects]
    return Scene(tuple(items), grey).render(size)[0]


def names(image):
    return sorted(
        CLASSES[item.label] if item.label is not None else '?'
        for item in find_objects(image)
    )


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('colour', COLOURS)
def test_every_class_is_found_where_it_is(shape, colour):
    """The smallest, at any place between pixels, also where it is oblong."""
    name = f'{colour} {shape}'
    for x, y, width, height in (
        (0.3, 0.4, 0.25, 0.25),
        (0.311, 0.387, 0.25, 0.25),
        (0.2, 0.3, 0.35, 0.28),
    ):
        (found,) = find_objects(picture((name, (x, y, width, height))))
        assert CLASSES[found.label] == name
        assert found.box == pytest.approx((x, y, width, height), abs=0.01)


def test_noise_and_blur_do_not_matter():
    boxes = ((0.1, 0.1, 0.3, 0.3), (0.55, 0.5, 0.35, 0.35))
    image = picture(('cyan cross', boxes[0]), ('cyan triangle', boxes[1]))
    noise = 12 * np.random.randn(*image.shape)
    noisy = (image + noise).clip(0, 255).round().astype(np.uint8)
    assert names(noisy) == ['cyan cross', 'cyan triangle']
    blurred = cv2.GaussianBlur(image, (3, 3), 0)
    assert names(blurred) == ['cyan cross', 'cyan triangle']


def test_what_is_like_no_shape_has_no_class():
    image = picture()
    image[5:7, 4:26] = COLOURS['red']
    image[18:28, 5:8] = image[25:28, 5:15] = COLOURS['blue']
    assert names(image) == ['?', '?']


def test_a_shape_of_two_colours_is_two_spots():
    image = picture(('red square', (0.25, 0.25, 0.375, 0.375)))
    image[14:20, 8:20] = COLOURS['green']
    assert 'red square' not in names(image)
    assert len(find_objects(image)) == 2


def test_other_colours_and_specks_are_nothing():
    image = picture(('cyan cross', (0.6, 0.1, 0.3, 0.3)))
    image[:26, :14] = 255
    image[15:25, 15:25] = (255, 140, 40)  # orange
    image[28:30, 4:7] = COLOURS['red']
    assert names(image) == ['cyan cross']


def test_a_picture_without_background_shows_nothing():
    assert find_objects(np.full((32, 32, 3), COLOURS['red'], np.uint8)) == []


def test_a_tinted_background_is_a_background():
    image = picture(('yellow circle', (0.3, 0.3, 0.3, 0.3))).astype(int)
    tinted = image + np.array([10, 0, -10])
    assert names(tinted.clip(0, 255).astype(np.uint8)) == ['yellow circle']


def test_edges_are_found_on_a_ground_that_is_nowhere_the_same():
    box = (0.041, 0.687, 0.25, 0.25)
    for grey in ((60, 50, 0), (60, 0, 50)):
        image = picture(('blue cross', box), grey=grey)
        (found,) = find_objects(image)
        assert found.box == pytest.approx(box, abs=0.004)


def test_a_map_has_the_label_of_every_object():
    image = picture(('red square', (0.25, 0.5, 0.25, 0.25)))
    image[4:6, 4:26] = COLOURS['blue']
    labels = found_labels(find_objects(image), 32)
    expected = np.zeros((32, 32), int)
    expected[16:24, 8:16] = label('red square') + 1
    expected[4:6, 4:26] = len(CLASSES) + 1
    assert np.array_equal(labels, expected)
