"""Trainings whose batches differ in size."""

import os
import re

import numpy as np
import pytest
from mmengine.hooks import Hook
from PIL import Image

from mmldm.models.denoisers import Denoiser

SIZES = {(12, 20), (16, 16), (20, 12)}


class Sizes(Hook):
    """Keeps the size of every image of every iteration."""

    def __init__(self):
        self.sizes = []

    def before_train_iter(self, runner, batch_idx, data_batch):
        shapes = {tuple(i.shape[1:]) for i in data_batch['inputs']}
        self.sizes.append(shapes)


@pytest.fixture
def images(tmp_path):
    """Seven wide images, six tall ones and a square one."""
    rng = np.random.default_rng(0)
    shapes = [(24, 40)] * 7 + [(40, 24)] * 6 + [(24, 24)]
    (tmp_path / 'images/a').mkdir(parents=True)
    for i, shape in enumerate(shapes):
        pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'images/a/{i:02}.png')
    return tmp_path / 'images'


@pytest.fixture
def data(images):
    """Overrides of a training on them."""
    return dict(
        train_dataloader__batch_size=2,
        train_dataloader__dataset=dict(
            _delete_=True,
            type='ImageFolder',
            data_root=str(images),
            annotations=[dict(type='FolderClasses')],
            size=16,
            buckets=dict(type='AspectBuckets', step=4),
            pipeline=[
                dict(type='LoadImage'),
                dict(type='ResizeShorterSide'),
                dict(type='Crop', random=True),
                dict(type='PackInputs'),
            ],
        ),
    )


@pytest.fixture
def train(build_runner, data, caplog):
    """Trains on them; the runner, with the sizes that it saw."""

    def train(**options):
        runner = build_runner(**{**data, **options})
        runner.seen = Sizes()
        runner.register_hook(runner.seen)
        runner.logger.addHandler(caplog.handler)
        runner.train()
        return runner

    return train


def test_each_iteration_has_one_size_and_a_run_has_all(train):
    runner = train(train_cfg__max_iters=14)
    assert all(len(sizes) == 1 for sizes in runner.seen.sizes)
    assert set().union(*runner.seen.sizes) == SIZES


@pytest.mark.parametrize('counts', [1, 2])
def test_a_resumed_run_repeats_the_uninterrupted_one(train, counts, tmp_path):
    """With other workers, and between sizes that accumulate."""
    options = dict(optim_wrapper__accumulative_counts=counts)
    whole = train(**options, work_dir=str(tmp_path / 'whole'))
    train(**options, train_cfg__max_iters=2)
    resumed = train(
        **options,
        resume=True,
        train_dataloader__num_workers=1,
    )
    assert resumed.record.losses == {
        i: loss for i, loss in whole.record.losses.items() if i >= 2
    }
    assert resumed.seen.sizes == whole.seen.sizes[2:]


def test_a_first_stage_learns_from_all_sizes(train, adversarial_training):
    runner = train(**adversarial_training)
    assert len(runner.record.losses) == 6
    assert len(set().union(*runner.seen.sizes)) > 1


def test_epochs_keep_their_length(train):
    runner = train(
        train_cfg=dict(
            _delete_=True, type='AddressedEpochTrainLoop', max_epochs=2
        ),
        param_scheduler=[],
        log_processor=dict(by_epoch=True),
    )
    assert (runner.epoch, runner.iter) == (2, 14)


def test_other_images_are_refused_at_resume(train, images):
    train(train_cfg__max_iters=2)
    os.remove(images / 'a/00.png')
    Image.new('RGB', (24, 24)).save(images / 'a/new.png')
    with pytest.raises(
        ValueError,
        match="images of each size='12x20 6, 16x16 2' .checkpoint: '12x20 7, "
        "16x16 1'.: refused; .*restore the images, or start .* load_from",
    ):
        train(resume=True)


def test_another_batch_size_says_what_it_does(train, caplog):
    train(train_cfg__max_iters=2)
    runner = train(resume=True, train_dataloader__batch_size=3)
    said = [record.getMessage() for record in caplog.records]
    (line,) = [text for text in said if 'batch_size=3' in text]
    assert 'after the 4 images' in line and 'put together anew' in line
    assert all(len(sizes) == 1 for sizes in runner.seen.sizes)
    counts = runner.train_loop.sample_counts()
    assert counts['num_samples'] == 2 * 2 + 3 * 5


def test_a_size_of_few_images_is_said(data, build_runner, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmldm.engine.data_checks.print_log',
        lambda text, **_: said.append(text),
    )
    _ = build_runner(**data, train_cfg__max_iters=1).train()
    assert [re.sub(r'.*batch are', '', text) for text in said] == [
        ' rare, and have images several times in it: 16x16 1; every image '
        'is seen as often as others'
    ]


def test_sizes_that_patches_do_not_divide_are_refused(train, monkeypatch):
    monkeypatch.setattr(Denoiser, 'patch_size', 2)
    with pytest.raises(ValueError, match='buckets.step=3 .* 4'):
        train(train_dataloader__dataset__buckets__step=3)
