import numpy as np
import pytest

from mmldm.visualization import sample_grid
from mmldm.visualization.grid import GAP

H, W = 3, 5
WHITE = 255


def image(value):
    """A flat image, but for its upper left pixel."""
    pixels = np.full((H, W, 3), value, np.uint8)
    pixels[0, 0] = [value, 1, 2]
    return pixels


def assert_shows(grid, rows):
    """The images of these values stand in these places, white elsewhere."""
    height, width = len(rows), max(map(len, rows))
    expected = np.full(
        (GAP + height * (H + GAP), GAP + width * (W + GAP), 3), WHITE, np.uint8
    )
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            top, left = GAP + r * (H + GAP), GAP + c * (W + GAP)
            expected[top : top + H, left : left + W] = image(value)
    assert grid.dtype == np.uint8
    assert np.array_equal(grid, expected)


def generated(*values):
    return [[image(value)] for value in values]


def test_classes_get_rows_in_their_order():
    grid = sample_grid(
        generated(10, 11, 12, 13, 14, 15), labels=[7, 0, 7, 3, 0, 7]
    )
    assert_shows(grid, [[11, 14], [13], [10, 12, 15]])


@pytest.mark.parametrize('labels', [[None] * 5, [0, 0, None, 1, 1]])
def test_images_without_classes_fill_a_square(labels):
    grid = sample_grid(generated(10, 11, 12, 13, 14), labels)
    assert_shows(grid, [[10, 11, 12], [13, 14]])


@pytest.mark.parametrize(
    'count, columns', [(1, 1), (2, 2), (4, 2), (9, 3), (10, 4)]
)
def test_a_square_is_as_small_as_can_be(count, columns):
    values = list(range(10, 10 + count))
    grid = sample_grid(generated(*values), [None] * count)
    assert_shows(
        grid, [values[i : i + columns] for i in range(0, count, columns)]
    )


@pytest.mark.parametrize('labels', [[None] * 3, [2, 1, 0]])
def test_reconstructions_stand_right_below_their_originals(labels):
    pairs = [[image(10 + i), image(20 + i)] for i in range(3)]
    grid = sample_grid(pairs, labels)
    for i, (row, column) in enumerate([(0, 0), (0, 1), (1, 0)]):
        top, left = GAP + row * (2 * H + GAP), GAP + column * (W + GAP)
        for shown in (10 + i, 20 + i):
            tile = grid[top : top + H, left : left + W]
            assert np.array_equal(tile, image(shown))
            top += H
        assert (grid[top : top + GAP] == WHITE).all()
