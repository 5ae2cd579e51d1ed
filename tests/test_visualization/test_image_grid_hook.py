"""What a test shows; see also what hooks do in training."""

import logging
import os
from types import SimpleNamespace

import cv2
import numpy as np
import torch

from mmldm.structures import LDMDataSample
from mmldm.visualization import ImageGridHook, contact_sheet, draw_sample


class Animals(list):
    """As long as it is told to be."""

    metainfo = dict(classes=['cat', 'dog'])


class Testing:
    """Of one process, that tests."""

    rank, world_size = 0, 1
    logger = logging.getLogger('test')
    model = SimpleNamespace(conditioner=SimpleNamespace(reads=('layout',)))
    test_dataloader = SimpleNamespace(dataset=Animals(range(32)))


def told_samples(count, **conditions):
    samples = []
    for i in range(count):
        sample = LDMDataSample(metainfo=dict(sample_idx=i), **conditions)
        sample.pred_img = torch.full((3, 64, 64), 7 * i, dtype=torch.uint8)
        samples.append(sample)
    return samples


def test_what_was_asked_for_is_shown_beside_what_was_made(tmp_path):
    hook = ImageGridHook(show_dir=str(tmp_path))
    samples = told_samples(32, layout=[(1, (0.25, 0.25, 0.5, 0.5))])
    hook.after_test_iter(Testing, 0, outputs=samples[9:])
    hook.after_test_iter(Testing, 1, outputs=samples[:9])
    hook.after_test_epoch(Testing)
    expected = contact_sheet(
        [
            draw_sample(
                np.full((64, 64, 3), 7 * i, np.uint8), sample, ['cat', 'dog']
            )
            for i, sample in enumerate(samples)
            if i % 2 == 0  # 16 spread over 32
        ]
    )
    found = cv2.imread(str(tmp_path / 'conditions.png'))[..., ::-1]
    assert np.array_equal(found, expected)


def test_what_a_model_is_not_told_is_not_shown(tmp_path):
    """Data sets say more than a model reads."""
    hook = ImageGridHook(show_dir=str(tmp_path))
    layout, caption = [(0, (0.1, 0.1, 0.5, 0.5))], 'a cat'
    hook.after_test_iter(
        Testing, 0, outputs=told_samples(1, layout=layout, caption=caption)
    )
    ((_, picture),) = hook.told
    image = np.zeros((64, 64, 3), np.uint8)
    (told,) = told_samples(1, layout=layout)
    assert np.array_equal(picture, draw_sample(image, told, ['cat', 'dog']))
    hook.before_test_epoch(Testing)
    hook.after_test_iter(Testing, 0, outputs=told_samples(1, caption=caption))
    assert not hook.told


def test_classes_that_a_model_is_not_told_make_no_rows():
    hook = ImageGridHook(num_images=4)
    samples = [s.set_gt_label(i) for i, s in enumerate(told_samples(32))]
    hook.after_test_iter(Testing, 0, outputs=samples)
    assert hook._grid(Testing).shape == (134, 134, 3)  # a square


def test_classes_alone_are_told_by_the_rows_of_the_grid(tmp_path):
    hook = ImageGridHook(show_dir=str(tmp_path))
    samples = [s.set_gt_label(i) for i, s in enumerate(told_samples(2))]

    class OfClasses(Testing):
        model = SimpleNamespace(
            conditioner=SimpleNamespace(reads=('gt_label',))
        )

    hook.after_test_iter(OfClasses, 0, outputs=samples)
    hook.after_test_epoch(OfClasses)
    assert sorted(os.listdir(tmp_path)) == [
        '000000.png',
        '000001.png',
        'grid.png',
    ]
    assert cv2.imread(str(tmp_path / 'grid.png')).shape == (134, 68, 3)
