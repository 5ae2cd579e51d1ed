from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from mmldm.datasets import AddressedIndex
from mmldm.datasets.transforms import PackInputs
from mmldm.toy_data import ShapeScenes
from mmldm.toy_data.scene_analysis import find_objects, found_labels
from mmldm.toy_data.shape_scene import CLASSES, caption_labels


def scenes(split='val', size=32, pipeline=(), **kwargs):
    return ShapeScenes(split, size, [*pipeline], **kwargs)


def layouts(**kwargs):
    return [scene['layout'] for scene in scenes(num_samples=5, **kwargs)]


def test_a_scene_depends_on_seed_split_and_index_alone():
    few, many = (scenes(num_samples=n, seed=7) for n in (5, 50))
    many[3]
    for i in (4, 0):
        assert np.array_equal(few[i]['img'], many[i]['img'])
        assert few[i]['caption'] == many[i]['caption']
    drawn = [
        layouts(seed=7),
        layouts(seed=8),
        layouts(seed=7, split='train'),
    ]
    flat = [str(layout) for some in drawn for layout in some]
    assert len({*flat}) == 15


def test_a_training_draw_is_the_same_scene_under_its_own_address():
    dataset = scenes('train', pipeline=[PackInputs()])
    drawn = dataset[AddressedIndex(4, epoch=2, seed=9, position=31)]
    assert drawn['data_samples'].random_address == (9, 31)
    assert drawn['inputs'].equal(dataset[4]['inputs'])


def test_the_same_scene_at_another_size():
    """Pooled, the larger is the smaller."""
    small, large = (scenes(size=size)[0] for size in (32, 64))
    assert small['layout'] == large['layout']
    pooled = large['img'].reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert abs(pooled - small['img']).max() < 12
    assert abs(pooled - small['img']).mean() < 1


def test_objects_keep_their_distances_and_sizes():
    for layout in [s['layout'] for s in scenes(num_samples=300)]:
        boxes = np.array([box for _, box in layout])
        start, end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        assert (start >= 1 / 32).all() and (end <= 1 - 1 / 32 + 1e-9).all()
        assert ((boxes[:, 2:] >= 0.3) & (boxes[:, 2:] <= 0.42)).all()
        for i, k in combinations(range(len(boxes)), 2):
            gaps = np.maximum(start[i] - end[k], start[k] - end[i])
            assert gaps.max() >= 1 / 16 - 1e-9


def test_one_two_and_three_objects_of_all_classes_are_as_likely():
    """Of 900: 300 with a deviation of 14; 75 of a class, with one of 8."""
    some = [scene['layout'] for scene in scenes(num_samples=900)]
    counts = Counter(map(len, some))
    assert sorted(counts) == [1, 2, 3]
    assert all(240 < count < 360 for count in counts.values())
    labels = [[label for label, _ in layout] for layout in some]
    assert all(len({*row}) == len(row) for row in labels)
    frequency = Counter(label for row in labels for label in row)
    assert sorted(frequency) == [*range(24)]
    assert all(40 < count < 115 for count in frequency.values())


@pytest.mark.parametrize('max_objects', [1, 2])
def test_there_are_no_more_objects_than_wanted(max_objects):
    some = [*scenes(num_samples=60, max_objects=max_objects)]
    assert {len(s['layout']) for s in some} == {*range(1, max_objects + 1)}


def test_two_and_three_objects_are_as_likely_where_one_is_too_few():
    """Of 400: 200 with a deviation of 10."""
    some = map(scenes(min_objects=2).scene, range(400))
    counts = Counter(len(scene.objects) for scene in some)
    assert sorted(counts) == [2, 3]
    assert all(160 < count < 240 for count in counts.values())


def test_a_scene_has_a_class_where_it_always_has_one_object():
    for scene in scenes(num_samples=10, max_objects=1):
        assert scene['gt_label'] == scene['layout'][0][0]
    assert not any('gt_label' in scene for scene in scenes(num_samples=10))


@pytest.mark.parametrize('size', [32, 64])
def test_the_picture_shows_what_the_conditions_say(size):
    """Plain image analysis finds those objects, there, and no others."""
    for scene in scenes(size=size, num_samples=100):
        found = find_objects(scene['img'])
        by_label = {item.label: item.box for item in found}
        assert len(found) == len(scene['layout'])
        assert sorted(caption_labels(scene['caption'])) == sorted(by_label)
        for label, box in scene['layout']:
            assert np.allclose(by_label[label], box, atol=0.3 / size)
        labels = found_labels(found, size)
        assert (labels != scene['gt_sem_seg']).sum() <= 1


def test_data_samples_can_ask_a_model_for_the_scene():
    dataset = scenes(
        size=16, pipeline=[PackInputs()], seed=3, num_samples=5, max_objects=1
    )
    sample = dataset[4]['data_samples']
    entry = scenes(size=16, seed=3, max_objects=1)[4]
    assert sample.random_address == (3, 4)
    assert sample.img_shape == (16, 16)
    assert sample.caption == f'a {CLASSES[sample.label]}' == entry['caption']
    assert sample.layout == entry['layout']
    assert np.array_equal(sample.gt_sem_seg[0], entry['gt_sem_seg'])


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(split='vall'), "split='vall' is not known; did you mean 'val'"),
        (dict(size=None), 'size=None must be a whole number'),
        (dict(num_samples=0), 'num_samples=0 must be a whole number'),
        (dict(max_objects=4), 'max_objects=4 must be 1, 2 or 3'),
        (dict(max_objects=0), 'max_objects=0 must be 1, 2 or 3'),
        (dict(min_objects=0), 'min_objects=0 must be from 1 to max_objects=3'),
        (
            dict(min_objects=3, max_objects=2),
            'min_objects=3 must be from 1 to max_objects=2: lower min',
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        scenes(**kwargs)
