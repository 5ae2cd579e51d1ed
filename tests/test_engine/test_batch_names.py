import math
from types import SimpleNamespace

import pytest
import torch

from mmldm.engine.batch_names import NUM_SHOWN, images_of
from mmldm.engine.late_log import LateLog
from mmldm.structures import LDMDataSample


def batch(*paths):
    return dict(
        data_samples=[
            LDMDataSample(metainfo={} if path is None else dict(img_path=path))
            for path in paths
        ]
    )


def test_images_of_a_batch_are_named():
    said = images_of(batch('a.png', None, 'b.png'))
    assert said.endswith('with the images a.png, b.png')


def test_of_many_images_some_are_named():
    said = images_of(batch(*(f'{i}.png' for i in range(NUM_SHOWN + 1))))
    assert said.endswith(f'{NUM_SHOWN - 1}.png ...')


def test_without_names_nothing_is_said():
    assert images_of(batch(None)) == images_of({}) == ''


def test_a_loss_that_is_not_finite_names_the_images():
    runner = SimpleNamespace(advice=lambda: 'go on', optim_wrapper=None)
    with pytest.raises(
        FloatingPointError, match='iteration 5 .*loss=nan.*images a.png: go on'
    ):
        LateLog(runner).record(
            5, dict(loss=torch.tensor(math.nan)), images_of(batch('a.png'))
        )
