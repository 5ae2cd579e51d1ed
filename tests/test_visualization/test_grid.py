import numpy as np
import pytest

from mmldm.visualization import sample_grid, sheet_of_rows
from mmldm.visualization.grid import (
    GAP,
    choose,
    rows_of,
    spread_over_classes,
)

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


def shape_of(labels):
    """Rows, and images in each, of a picture whose rows show one class."""
    rows = rows_of(labels)
    assert all(len({labels[i] for i in row}) == 1 for row in rows)
    assert sorted(i for row in rows for i in row) == [*range(len(labels))]
    ordered = [labels[row[0]] for row in rows]
    assert ordered == sorted(ordered)
    return [len(row) for row in rows]


@pytest.mark.parametrize(
    'num_classes, per_class, expected',
    [
        (10, 10, [10] * 10),
        (10, 6, [6] * 10),
        (16, 4, [4] * 16),
        (1, 64, [8] * 8),  # few classes have several rows
        (2, 32, [8] * 8),
        (3, 21, [7] * 9),
        (2, 4, [4] * 2),
    ],
)
def test_rows_show_one_class_each(num_classes, per_class, expected):
    assert shape_of([*range(num_classes)] * per_class) == expected


def test_rows_of_uneven_classes_end_where_their_images_do():
    assert shape_of([5] * 4 + [2] * 1 + [9] * 3) == [1, 4, 3]


def test_too_few_images_of_many_classes_fill_a_square_in_their_order():
    labels = [*range(31, -1, -1)] * 2
    rows = rows_of(labels)
    assert [len(row) for row in rows] == [8] * 8
    shown = [labels[i] for row in rows for i in row]
    assert shown == sorted(labels)


def counts(labels, chosen):
    return np.unique([labels[i] for i in chosen], return_counts=True)


@pytest.mark.parametrize('ordered', [False, True])
@pytest.mark.parametrize(
    'total, num_classes, number, shown, share',
    [
        (1000, 10, 100, 10, 10),
        (1000, 10, 64, 10, 6),
        (50_000, 1000, 64, 8, 8),  # as many classes as make a square
        (1000, 1000, 64, 64, 1),
        (2000, 1000, 64, 32, 2),
        (1000, 2, 64, 2, 32),
        (1000, 1, 64, 1, 64),
        (20, 10, 64, 10, 2),  # all that there are
    ],
)
def test_classes_share_a_grid(
    ordered, total, num_classes, number, shown, share
):
    labels = [i % num_classes for i in range(total)]
    if ordered:
        labels.sort()
    classes, sizes = counts(labels, choose(labels, number))
    assert len(classes) == shown
    assert set(sizes) == {share}
    # From the first class to nearly the last.
    assert classes[0] == 0
    assert classes[-1] >= num_classes - 1 - num_classes / shown


def test_a_rare_class_has_the_images_that_there_are():
    labels = [0] * 900 + [1] * 3
    classes, sizes = counts(labels, choose(labels, 64))
    assert [*sizes] == [32, 3]


def test_without_classes_images_are_spread_over_the_data():
    for labels in ([None] * 1000, [None, *range(999)]):
        assert choose(labels, 4) == {0, 250, 500, 750}
        assert spread_over_classes(labels, 4) == {0, 250, 500, 750}
    assert choose([None] * 3, 64) == {0, 1, 2}
    assert choose([], 64) == set()


def test_samples_of_several_sizes_are_filled_up_with_white():
    wide, tall = np.zeros((2, 4, 3), np.uint8), np.zeros((6, 3, 3), np.uint8)
    grid = sample_grid([[wide], [tall], [wide], [tall]], [None] * 4)
    assert grid.shape[:2] == (2 * 6 + 3 * GAP, 2 * 4 + 3 * GAP)
    assert (grid == 0).all(axis=2).sum() == 2 * (2 * 4 + 6 * 3)


def test_given_rows_keep_the_sizes_of_their_images():
    """Two rows: 2x4 and 2x4; then 6x3."""
    wide, tall = np.zeros((2, 4, 3), np.uint8), np.ones((6, 3, 3), np.uint8)
    sheet = sheet_of_rows([[wide, wide], [tall]])
    assert sheet.shape[:2] == (2 + 6 + 3 * GAP, 4 + 4 + 3 * GAP)
    assert (sheet[GAP : GAP + 2, GAP : GAP + 4] == 0).all()
    assert (sheet[2 * GAP + 2 :][:6, GAP : GAP + 3] == 1).all()
