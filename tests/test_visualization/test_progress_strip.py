"""The picture of the same samples over a training."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mmldm.structures import LDMDataSample
from mmldm.visualization import ProgressStripHook
from mmldm.visualization.progress_strip import (
    ProgressStrip,
    as_tile,
    read_strip,
    thinned,
    tile_shape,
)


def tile(value):
    return np.full((64, 64, 3), value, np.uint8)


def strip(*iterations):
    columns = {i: [tile(i), tile(i + 1)] for i in iterations}
    return ProgressStrip([tile(7), tile(8)], columns)


def test_a_file_is_read_back_up_to_an_iteration(tmp_path):
    path = tmp_path / 'progress.png'
    strip(10, 20, 30).write(path)
    found = read_strip(path, 20)
    assert [*found.columns] == [10, 20]
    for iteration, tiles in found.columns.items():
        assert np.array_equal(tiles, strip(iteration).columns[iteration])
    assert found.continues(strip(40))
    assert [path.name for path in tmp_path.iterdir()] == ['progress.png']


def test_other_requests_do_not_continue_a_strip():
    other = ProgressStrip([tile(7), tile(9)], strip(20).columns)
    assert not strip(10).continues(other)
    assert not strip(10).continues(ProgressStrip([], strip(20).columns))


@pytest.mark.parametrize('damage', ['cut', 'edited', 'of another', 'missing'])
def test_no_strip_is_read_from_another_file(tmp_path, damage):
    path = tmp_path / 'progress.png'
    strip(10, 20).write(path)
    if damage == 'cut':
        path.write_bytes(path.read_bytes()[:300])
    elif damage == 'edited':
        with Image.open(path) as image:
            text = PngInfo()
            text.add_text('mmldm:progress', image.text['mmldm:progress'])
            image.putpixel((50, 50), (1, 2, 3))
            image.save(path, pnginfo=text)
    elif damage == 'of another':
        Image.new('RGB', (90, 90)).save(path)
    else:
        path.unlink()
    assert read_strip(path, 100) is None


def test_thinning_keeps_the_ends_and_equal_distances():
    kept = [100, 200]
    for iteration in range(300, 50_100, 100):
        kept = thinned([*kept, iteration], 12)
        assert (kept[0], kept[-1]) == (100, iteration)
        first, *gaps = np.diff(kept)
        assert all(gap == first for gap in gaps[:-1])
        assert first <= 2 * 100 * max(1, iteration / 1100)
        assert len(kept) <= 12


def test_columns_at_other_distances_are_thinned_too():
    kept = thinned([1, 5, 100, 101, 102, 700, 710, 1000], 5)
    assert (kept[0], kept[-1]) == (1, 1000)
    assert 2 < len(kept) <= 5


def test_a_full_strip_has_a_bounded_size():
    shape = as_tile(np.zeros((2048, 1024, 3), np.uint8)).shape
    assert shape == (128, 64, 3)
    full = ProgressStrip([])
    for iteration in range(100):
        full = full.add(iteration, [np.zeros(shape, np.uint8)] * 8, 12)
    assert full.picture().shape[0] <= 8 * 131 + 30
    assert full.picture().shape[1] <= 12 * 131


def test_small_images_are_enlarged_pixel_by_pixel():
    image = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    assert np.array_equal(as_tile(image)[::2, ::2], image)
    assert tile_shape(100, 300) == (43, 128)


class Requests(list):
    metainfo = dict(classes=['cat', 'dog'])

    def get_data_info(self, index):
        return dict(gt_label=index % 2)


def run(work_dir, iteration):
    """A training after some iterations, of one process."""
    return SimpleNamespace(
        rank=0,
        iter=iteration,
        work_dir=str(work_dir),
        logger=logging.getLogger('test'),
        model=SimpleNamespace(conditioner=SimpleNamespace(reads=['gt_label'])),
        val_dataloader=SimpleNamespace(dataset=Requests(range(8))),
    )


def validate(hook, runner, value):
    """A validation whose image i is of the colour value + i."""
    samples = []
    for i in range(8):
        sample = LDMDataSample(metainfo=dict(sample_idx=i))
        sample.set_gt_label(i % 2)
        image = torch.full((3, 64, 64), value + i, dtype=torch.uint8)
        sample.pred_img = image
        samples.append(sample)
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, outputs=samples[4:])
    hook.after_val_iter(runner, 1, outputs=samples[:4])
    hook.after_val_epoch(runner)


def test_rows_are_requests_and_columns_validations(tmp_path):
    hook = ProgressStripHook(num_requests=2)
    hook.before_train(run(tmp_path, 0))
    validate(hook, run(tmp_path, 10), 10)
    validate(hook, run(tmp_path, 20), 20)
    found = read_strip(tmp_path / 'progress.png', 20)
    # A cat and a dog: requests 0 and 1.
    assert [tiles[0][0, 0, 0] for tiles in found.columns.values()] == [10, 20]
    assert [tiles[1][0, 0, 0] for tiles in found.columns.values()] == [11, 21]
    assert not np.array_equal(*found.conditions)


def test_a_resumed_training_continues_the_picture(tmp_path):
    hook = ProgressStripHook()
    hook.before_train(run(tmp_path, 0))
    for iteration in (10, 20, 30):
        validate(hook, run(tmp_path, iteration), iteration)
    resumed = ProgressStripHook()
    resumed.before_train(run(tmp_path, 20))
    validate(resumed, run(tmp_path, 25), 25)
    assert [*read_strip(tmp_path / 'progress.png', 99).columns] == [10, 20, 25]
    again = ProgressStripHook()
    again.before_train(run(tmp_path, 0))
    validate(again, run(tmp_path, 10), 10)
    assert [*read_strip(tmp_path / 'progress.png', 99).columns] == [10]


def test_a_validation_alone_writes_nothing(tmp_path):
    validate(ProgressStripHook(), run(tmp_path, 10), 10)
    assert not [*tmp_path.iterdir()]


def test_a_full_disk_does_not_end_a_training(tmp_path, caplog):
    hook = ProgressStripHook()
    hook.before_train(run(tmp_path, 0))
    validate(hook, run(tmp_path / 'missing', 10), 10)
    assert 'could not be written' in caplog.text


@pytest.mark.parametrize(
    'options, told',
    [
        (dict(num_requests=0), 'ProgressStripHook.num_requests=0'),
        (dict(num_columns=1), r'ProgressStripHook.num_columns=1 .* \[2, 100'),
    ],
)
def test_wrong_numbers_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        ProgressStripHook(**options)
