"""What a browser sends of a board."""

import json

import numpy as np
import pytest

from mmldm.apis.inference.page.board import read_boxes, read_paint


def test_boxes_are_classes_with_parts_of_the_picture():
    drawn = json.dumps(dict(boxes=[[3, 0.1, 0.2, 0.5, 0.25], [0, 0, 0, 1, 1]]))
    assert read_boxes(drawn) == [
        (3, (0.1, 0.2, 0.5, 0.25)),
        (0, (0.0, 0.0, 1.0, 1.0)),
    ]
    assert read_boxes('{"boxes": []}') is None and read_boxes('') is None


def test_paint_comes_in_runs_of_rows():
    classes = np.random.default_rng(0).integers(0, 3, (5, 7))
    runs = [n for label in classes.ravel().tolist() for n in (label, 1)]
    drawn = json.dumps(dict(size=[5, 7], runs=runs))
    assert np.array_equal(read_paint('map', drawn, 7), classes)
    flat = json.dumps(dict(size=[2, 3], runs=[4, 5, 0, 1]))
    assert read_paint('map', flat, 7).tolist() == [[4, 4, 4], [4, 4, 0]]
    for nothing in ('', '{"size": [0, 0], "runs": []}'):
        assert read_paint('map', nothing, 7) is None


@pytest.mark.parametrize(
    'drawn',
    [
        *('null', '[]', '{', '{"boxes": 3}', '{"boxes": [[1, 2]]}'),
        '{"boxes": [["x", 0, 0, 1, 1]]}',
        '{"boxes": [[Infinity, 0, 0, 1, 1]]}',
    ],
)
def test_damaged_boxes_are_refused(drawn):
    with pytest.raises(ValueError, match='layout: the drawing is damaged'):
        read_boxes(drawn)


@pytest.mark.parametrize(
    'drawn',
    [
        *('{}', '{"size": [2, 2]}', '{"size": 2, "runs": []}'),
        '{"size": [2, 2], "runs": [1, 2, 3]}',
        '{"size": [2, 2], "runs": [1, 3]}',
        '{"size": [2, 2], "runs": [1, 6, 1, -2]}',
        '{"size": [2, 2], "runs": [1, 99999999999999999999]}',
        '{"size": [2, 2], "runs": [1, 9223372036854775807]}',
        '{"size": [2, 2], "runs": ["a", "b"]}',
        '{"size": [NaN, 2], "runs": [1, 4]}',
    ],
)
def test_damaged_paint_is_refused(drawn):
    with pytest.raises(ValueError, match='map: the drawing is damaged'):
        read_paint('map', drawn, 7)


def test_large_paint_is_refused_before_it_takes_memory():
    drawn = json.dumps(dict(size=[10**9, 10**9], runs=[1, 10**18]))
    with pytest.raises(ValueError, match='mask has 1000000000x1000000000 pix'):
        read_paint('mask', drawn, 1024)
