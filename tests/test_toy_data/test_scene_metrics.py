"""Scores of scenes, right ones and such that are wrong by a known amount."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mmldm.structures import LDMDataSample
from mmldm.toy_data import (
    SceneCaption,
    SceneClass,
    SceneLayout,
    SceneMap,
    ShapeScenes,
)
from mmldm.toy_data.shape_scene import CLASSES, Scene, SceneObject

LEFT, RIGHT = (0.125, 0.25, 0.25, 0.25), (0.625, 0.25, 0.25, 0.25)
RED, BLUE, GREEN = (
    CLASSES.index(f'{colour} square') for colour in ('red', 'blue', 'green')
)


def scene(*objects):
    """Of (label, box)."""
    return Scene(tuple(SceneObject(*item) for item in objects), (50, 0, 0))


def asked_and_drawn(asked, drawn, size=32):
    """What asks for one scene and shows another."""
    sample = LDMDataSample(caption=asked.caption, layout=asked.layout)
    sample.set_gt_label(asked.layout[0][0])
    sample.gt_sem_seg = torch.from_numpy(asked.render(size)[1])[None]
    sample.pred_img = torch.from_numpy(drawn.render(size)[0]).permute(2, 0, 1)
    return sample


RIGHTLY = asked_and_drawn(*[scene((RED, LEFT), (BLUE, RIGHT))] * 2)
RECOLOURED = asked_and_drawn(
    scene((RED, LEFT), (BLUE, RIGHT)), scene((RED, LEFT), (GREEN, RIGHT))
)
WITHOUT_BLUE = asked_and_drawn(
    scene((RED, LEFT), (BLUE, RIGHT)), scene((RED, LEFT))
)
WITH_BLUE = asked_and_drawn(
    scene((RED, LEFT)), scene((RED, LEFT), (BLUE, RIGHT))
)
# A quarter of their sides further right: 3/4 of 5/4 overlap.
SHIFTED = asked_and_drawn(
    scene((RED, LEFT), (BLUE, RIGHT)),
    scene((RED, (0.1875, *LEFT[1:])), (BLUE, (0.6875, *RIGHT[1:]))),
)
EMPTY = asked_and_drawn(scene((RED, LEFT), (BLUE, RIGHT)), scene())
SCENES_64 = ShapeScenes('val', 64, [], min_objects=2)
ALL = (SceneClass(), SceneCaption(), SceneLayout(), SceneMap())


@pytest.mark.parametrize('size', [32, 48, 64])
def test_real_scenes_reach_everything(judge, size):
    """The judge at its best, by the bars' own numbers."""
    for max_objects, metrics in ((1, ALL), (3, ALL[1:])):
        dataset = ShapeScenes('val', size, [], 60, max_objects=max_objects)
        samples = []
        for drawn in map(dataset.scene, range(60)):
            samples.append(asked_and_drawn(drawn, drawn, size))
        scores = judge([*metrics], samples, batch_size=30)
        extra = [scores.pop(name) for name in [*scores] if 'extra' in name]
        assert extra == [0] * len(extra)
        assert min(scores.values()) >= 0.99


def shapes_swapped(scene):
    """The first two objects, each with the other's shape."""
    first, second, *rest = scene.objects
    colours = [CLASSES[item.label].split()[0] for item in (first, second)]
    swapped = [
        replace(item, label=CLASSES.index(f'{colour} {other.shape}'))
        for item, other, colour in zip(
            (first, second), (second, first), colours, strict=True
        )
    ]
    return replace(scene, objects=(*swapped, *rest))


def last_one_missing(scene):
    return replace(scene, objects=scene.objects[:-1])


@pytest.mark.parametrize('damage', [shapes_swapped, last_one_missing])
def test_no_scene_with_a_wrong_binding_or_a_missing_object_passes(
    judge, damage
):
    """What models of captions get wrong, at the size of their bar."""
    samples = []
    for asked in map(SCENES_64.scene, range(60)):
        first, second = asked.objects[:2]
        colours = (tuple(item.colour) for item in (first, second))
        if first.shape != second.shape and len({*colours}) == 2:
            samples.append(asked_and_drawn(asked, damage(asked), 64))
    assert len(samples) > 20
    scores = judge(SceneCaption(), samples)
    assert scores['scene/caption_found'] == 0
    assert scores['scene/caption_exact'] == 0


def test_one_object_more_is_found_as_more(judge):
    samples = []
    for shown in map(SCENES_64.scene, range(60)):
        if len(shown.objects) == 3:
            asked = last_one_missing(shown)
            samples.append(asked_and_drawn(asked, shown, 64))
    scores = judge(SceneCaption(), samples)
    assert scores['scene/caption_found'] == 1
    assert scores['scene/caption_extra'] == 1
    assert scores['scene/caption_exact'] == 0


def test_what_a_first_stage_loses_costs_nothing(judge):
    """Blur of edges and noise of 30 dB, as after decoding."""
    samples, random = [], np.random.default_rng(0)
    for shown in map(SCENES_64.scene, range(60)):
        samples.append(asked_and_drawn(shown, shown, 64))
        image = samples[-1].pred_img.permute(1, 2, 0).numpy()
        soft = cv2.GaussianBlur(image, (5, 5), 0)
        soft = soft + 8 * random.standard_normal(soft.shape)
        soft = soft.clip(0, 255).round().astype(np.uint8)
        samples[-1].pred_img = torch.from_numpy(soft).permute(2, 0, 1)
    scores = judge(SceneCaption(), samples)
    assert scores['scene/caption_found'] == 1
    assert scores['scene/caption_exact'] == 1


@pytest.mark.parametrize(
    'samples, found, extra',
    [
        ([RIGHTLY], 1, 1),
        ([asked_and_drawn(*[scene((RED, LEFT))] * 2)], 1, 0),
        ([WITH_BLUE, EMPTY], 0.5, 0.5),
        ([asked_and_drawn(scene((RED, LEFT)), scene((BLUE, LEFT)))], 0, 0),
    ],
)
def test_a_class_is_found_or_not(judge, samples, found, extra):
    assert judge(SceneClass(), samples) == {
        'scene/class_found': found,
        'scene/class_extra': extra,
    }


@pytest.mark.parametrize(
    'samples, found, extra, exact',
    [
        ([RIGHTLY], 1, 0, 1),
        ([SHIFTED], 1, 0, 1),
        ([RIGHTLY, RECOLOURED, WITHOUT_BLUE, EMPTY], 0.25, 0, 0.25),
        ([RIGHTLY, WITH_BLUE], 1, 0.5, 0.5),
    ],
)
def test_all_objects_of_a_caption_must_be_there(
    judge, samples, found, extra, exact
):
    assert judge(SceneCaption(), samples) == {
        'scene/caption_found': found,
        'scene/caption_extra': extra,
        'scene/caption_exact': exact,
    }


def test_an_object_named_twice_must_be_there_twice(judge):
    twice = scene((RED, LEFT), (RED, RIGHT))
    once = scene((RED, LEFT))
    scores = judge(SceneCaption(), [asked_and_drawn(twice, once)])
    assert scores['scene/caption_found'] == 0


@pytest.mark.parametrize(
    'samples, iou, right',
    [
        ([RIGHTLY], 1, 1),
        ([RECOLOURED], 1, 0.5),
        ([WITHOUT_BLUE], 0.5, 0.5),
        ([WITH_BLUE], 1, 1),
        ([SHIFTED], 0.6, 1),
        ([EMPTY], 0, 0),
        # The mean is over objects: 2 + 1 of 2 + 1 + 2.
        ([RIGHTLY, WITH_BLUE, EMPTY], 0.6, 0.6),
        ([asked_and_drawn(scene((RED, LEFT)), scene((RED, RIGHT)))], 0, 0),
    ],
)
def test_boxes_are_compared_with_those_that_were_asked(
    judge, samples, iou, right
):
    assert judge(SceneLayout(), samples) == {
        'scene/layout_iou': pytest.approx(iou, abs=0.01),
        'scene/layout_class': pytest.approx(right),
    }


def test_boxes_are_compared_in_the_part_that_the_image_shows(judge):
    """Asked for in a picture of which a quarter is drawn."""
    drawn = scene((RED, (0.25, 0.25, 0.5, 0.5)))
    sample = asked_and_drawn(scene((RED, RIGHT), (BLUE, LEFT)), drawn)
    sample.set_metainfo(dict(crop_box=(0.5, 0.125, 0.5, 0.5)))
    assert judge(SceneLayout(), [sample]) == {
        'scene/layout_iou': pytest.approx(1, abs=0.01),
        'scene/layout_class': 1,
    }


def test_a_box_belongs_to_one_object(judge):
    """One red square is not both that were asked for, nor the worse one."""
    near = (0.1875, *LEFT[1:])
    for asked in (((RED, LEFT), (RED, near)), ((RED, near), (RED, LEFT))):
        sample = asked_and_drawn(scene(*asked), scene((RED, LEFT)))
        assert judge(SceneLayout(), [sample]) == {
            'scene/layout_iou': pytest.approx(0.5, abs=0.01),
            'scene/layout_class': 0.5,
        }


@pytest.mark.parametrize(
    'samples, iou',
    [
        # Squares of 64 pixels on 896 of background.
        ([RIGHTLY], 1),
        ([RECOLOURED], (1 + 1 + 0) / 3),
        ([WITHOUT_BLUE], (896 / 960 + 1 + 0) / 3),
        ([WITH_BLUE], (896 / 960 + 1) / 2),
        ([SHIFTED], ((896 - 32) / (896 + 32) + 0.6 + 0.6) / 3),
        # Pixels of both images are counted together.
        ([RIGHTLY, WITHOUT_BLUE], (1792 / 1856 + 1 + 0.5) / 3),
    ],
)
def test_maps_are_compared_pixel_by_pixel(judge, samples, iou):
    scores = judge(SceneMap(), samples)
    assert scores == {'scene/map_iou': pytest.approx(iou)}


@pytest.mark.parametrize(
    'metric, field',
    [
        (SceneClass, 'gt_label'),
        (SceneCaption, 'caption'),
        (SceneLayout, 'layout'),
        (SceneMap, 'gt_sem_seg'),
    ],
)
def test_data_without_the_condition_are_refused(judge, metric, field):
    sample = LDMDataSample(pred_img=RIGHTLY.pred_img)
    with pytest.raises(ValueError, match=f'needs {field}'):
        judge(metric(), [sample])


def test_images_that_are_not_square_are_refused(judge):
    sample = LDMDataSample(caption='a red circle')
    sample.pred_img = torch.zeros(3, 16, 32, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r'\(H, W\) = \(16, 32\): set the'):
        judge(SceneCaption(), [sample])
