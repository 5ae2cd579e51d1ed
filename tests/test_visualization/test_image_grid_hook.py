"""What a test shows; see also what hooks do in training."""

import logging
import os
from types import SimpleNamespace

import cv2
import numpy as np
import torch

from mmldm.structures import LDMDataSample
from mmldm.visualization import ImageGridHook, contact_sheet, draw_sample


class Testing:
    """Of one process, that tests on scenes."""

    rank, world_size = 0, 1
    logger = logging.getLogger('test')
    test_dataloader = SimpleNamespace(
        dataset=SimpleNamespace(metainfo=dict(classes=['cat', 'dog']))
    )


def told_samples(count, **conditions):
    samples = []
    for i in range(count):
        sample = LDMDataSample(metainfo=dict(sample_idx=i), **conditions)
        sample.pred_img = torch.full((3, 64, 64), 10 * i, dtype=torch.uint8)
        samples.append(sample)
    return samples


def test_what_was_asked_for_is_shown_beside_what_was_made(tmp_path):
    hook = ImageGridHook(show_dir=str(tmp_path))
    samples = told_samples(17, layout=[(1, (0.25, 0.25, 0.5, 0.5))])
    hook.after_test_iter(Testing, 0, outputs=samples[9:])
    hook.after_test_iter(Testing, 1, outputs=samples[:9])
    hook.after_test_epoch(Testing)
    expected = contact_sheet(
        [
            draw_sample(
                np.full((64, 64, 3), 10 * i, np.uint8), sample, ['cat', 'dog']
            )
            for i, sample in enumerate(samples)
            if i != 8  # the 17th that came
        ]
    )
    found = cv2.imread(str(tmp_path / 'conditions.png'))[..., ::-1]
    assert np.array_equal(found, expected)


def test_classes_alone_are_told_by_the_rows_of_the_grid(tmp_path):
    hook = ImageGridHook(show_dir=str(tmp_path))
    (sample,) = told_samples(1)
    sample.set_gt_label(1)
    hook.after_test_iter(Testing, 0, outputs=[sample])
    hook.after_test_epoch(Testing)
    assert sorted(os.listdir(tmp_path)) == ['000000.png', 'grid.png']
