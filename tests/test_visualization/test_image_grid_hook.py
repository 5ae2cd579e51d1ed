"""What a test shows; see also what hooks do in training."""

import logging
import os
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mmldm.structures import LDMDataSample
from mmldm.visualization import ImageGridHook, contact_sheet, render_sample


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
            render_sample(
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
    ((_, picture),) = hook.conditioned
    image = np.zeros((64, 64, 3), np.uint8)
    (told,) = told_samples(1, layout=layout)
    assert np.array_equal(picture, render_sample(image, told, ['cat', 'dog']))
    hook.before_test_epoch(Testing)
    hook.after_test_iter(Testing, 0, outputs=told_samples(1, caption=caption))
    assert not hook.conditioned


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
    assert sorted(os.listdir(tmp_path)) == ['grid.png', 'images']
    names = sorted(os.listdir(tmp_path / 'images'))
    assert names == ['000000.png', '000001.png']
    assert cv2.imread(str(tmp_path / 'grid.png')).shape == (134, 68, 3)


class Requests:
    """As many requests of balanced classes as it is told to have."""

    metainfo = {}

    def __init__(self, count, num_classes, samples_per_entry=1):
        self.count, self.num_classes = count, num_classes
        self.samples_per_entry = samples_per_entry

    def __len__(self):
        return self.count * self.samples_per_entry

    def get_data_info(self, i):
        return dict(gt_label=i % self.num_classes)


def grid_of_requests(hook, dataset, batch=125):
    """The grid after a test in which an image has its class's brightness."""

    class Runner(Testing):
        model = SimpleNamespace(
            conditioner=SimpleNamespace(reads=('gt_label',))
        )
        test_dataloader = SimpleNamespace(dataset=dataset)

    for start in range(0, len(dataset), batch):
        outputs = []
        for i in range(start, min(start + batch, len(dataset))):
            label = dataset.get_data_info(i // dataset.samples_per_entry)[
                'gt_label'
            ]
            sample = LDMDataSample(metainfo=dict(sample_idx=i))
            sample.set_gt_label(label)
            sample.pred_img = torch.full(
                (3, 2, 2), 20 * label + 1, dtype=torch.uint8
            )
            outputs.append(sample)
        hook.after_test_iter(Runner, 0, outputs=outputs)
    return hook._grid(Runner)


@pytest.mark.parametrize(
    'count, num_classes, samples_per_entry, num_images, rows, columns',
    [
        (1000, 10, 1, 100, 10, 10),  # the quickstart's
        (100, 10, 1, 100, 10, 10),
        (1000, 10, 1, 64, 10, 6),
        (997, 10, 1, 64, 10, 6),
        (300, 10, 2, 64, 10, 6),
    ],
)
def test_the_requests_of_every_class_fill_a_row(
    count, num_classes, samples_per_entry, num_images, rows, columns
):
    """Labels are the index modulo ten, and steps of ten meet one alone."""
    dataset = Requests(count, num_classes, samples_per_entry)
    grid = grid_of_requests(ImageGridHook(num_images), dataset)
    tiles = grid[2::4, 2::4, 0]
    assert tiles.shape == (rows, columns)
    expected = 20 * np.arange(rows)[:, None] + 1
    assert (tiles == expected).all()


def test_conditions_are_shown_for_unlike_classes():
    """Sixteen of 160: every tenth of them is of one class."""
    hook = ImageGridHook()
    grid_of_requests(hook, Requests(160, 10))
    labels = [i % 10 for i in hook.chosen.with_conditions]
    assert len(labels) == 16 and set(labels) == {*range(10)}


def test_a_data_set_is_asked_for_its_classes_once_a_test():
    asked = []

    class Counted(Requests):
        def get_data_info(self, i):
            asked.append(i)
            return super().get_data_info(i)

    hook = ImageGridHook()
    dataset = Counted(30, 10)
    grid_of_requests(hook, dataset, batch=5)
    assert len(asked) == 2 * 30  # the test itself asks as often


def test_images_of_an_earlier_run_are_warned_of(tmp_path, caplog):
    hook = ImageGridHook(show_dir=str(tmp_path))
    for count in (32, 32):
        hook.before_test_epoch(Testing)
        hook.after_test_iter(Testing, 0, outputs=told_samples(count))
        hook.after_test_epoch(Testing)
        assert 'did not write' not in caplog.text

    class Fewer(Testing):
        test_dataloader = SimpleNamespace(dataset=Animals(range(30)))

    hook.before_test_epoch(Fewer)
    hook.after_test_iter(Fewer, 0, outputs=told_samples(30))
    hook.after_test_epoch(Fewer)
    assert '2 files that this run did not write, such as 000030' in caplog.text
