"""The tool that shows what a model is fed."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import BaseTransform

from mmldm.datasets import AddressedSampler
from mmldm.datasets.transforms import Crop, PackInputs
from mmldm.registry import TRANSFORMS
from mmldm.toy_data import ShapeScenes
from mmldm.visualization import render_sample
from mmldm.visualization.grid import GAP

ROOT = Path(__file__).parents[2]
TOOL = 'analysis_tools/browse_dataset'
CONFIG = f"""
_base_ = '{ROOT}/configs/_base_/datasets/shape-scenes_32x32.py'
train_dataloader = dict(dataset=dict(num_samples=20, pipeline=[
    dict(type='Crop', size=16, random=True), dict(type='PackInputs')]))
val_dataloader = dict(dataset=dict(num_samples=20))
"""


@TRANSFORMS.register_module()
class Brightest(BaseTransform):
    """A map that is not one of the toolbox."""

    def transform(self, results):
        results['brightest'] = results['img'].max(axis=2)
        results.setdefault('extra_maps', []).append('brightest')
        return results


@pytest.fixture
def scenes(tmp_path):
    path = tmp_path / 'scenes.py'
    path.write_text(CONFIG)
    return path


@pytest.fixture
def browse(call_tool, scenes, tmp_path):
    """Runs the tool; returns its pictures, RGB."""

    def browse(*flags):
        call_tool(TOOL, scenes, '--out', tmp_path / 'out', *flags)
        paths = sorted((tmp_path / 'out').glob('0*.png'))
        return [cv2.imread(str(path))[..., ::-1] for path in paths]

    return browse


def pictures(dataset, indices):
    found = []
    for index in indices:
        packed = dataset[index]
        image = packed['inputs'].permute(1, 2, 0).numpy()
        classes = dataset.metainfo['classes']
        found.append(render_sample(image, packed['data_samples'], classes))
    return found


@pytest.mark.parametrize('seed', [0, 5])
def test_training_is_shown_as_a_run_of_the_seed_begins(browse, seed):
    dataset = ShapeScenes(
        'train',
        32,
        [Crop(16, random=True), PackInputs()],
        num_samples=20,
    )
    indices = islice(AddressedSampler(dataset, seed=seed), 3)
    found = browse('--num', 3, '--seed', seed)
    for picture, expected in zip(
        found, pictures(dataset, indices), strict=True
    ):
        assert np.array_equal(picture, expected)


def test_validation_is_spread(browse):
    dataset = ShapeScenes('val', 32, [PackInputs()], num_samples=20)
    found = browse('--num', 2, '--phase', 'val')
    for picture, expected in zip(
        found, pictures(dataset, (0, 10)), strict=True
    ):
        assert np.array_equal(picture, expected)


def test_all_pictures_are_in_the_grid(browse, tmp_path):
    found = browse('--num', 3)
    grid = cv2.imread(str(tmp_path / 'out/grid.png'))[..., ::-1]
    for picture in found:
        height, width = picture.shape[:2]
        places = np.lib.stride_tricks.sliding_window_view(
            grid[:, :, 0], (1, width)
        )[:, :, 0]
        hits = np.argwhere((places == picture[100, :, 0]).all(axis=2))
        assert any(
            np.array_equal(
                grid[y - 100 : y - 100 + height, x : x + width], picture
            )
            for y, x in hits
            if y >= 100
        )


def test_no_more_is_shown_than_there_is(browse):
    assert len(browse('--num', 100)) == 20


def test_bad_wishes_are_refused(browse, scenes):
    with pytest.raises(ValueError, match='--num=0 must be'):
        browse('--num', 0)
    with scenes.open('a') as file:
        file.write('test_dataloader = None\n')
        file.write("val_dataloader['dataset']['pipeline'] = []\n")
    with pytest.raises(ValueError, match='no test_dataloader with a dataset'):
        browse('--phase', 'test')
    with pytest.raises(ValueError, match='gives no data_samples: end its'):
        browse('--phase', 'val')


def test_a_map_of_ones_own_is_shown(browse, scenes):
    """As it moved with the image."""
    steps = "dict(type='Brightest'), dict(type='Crop'"
    text = scenes.read_text().replace("dict(type='Crop'", steps)
    scenes.write_text(text)
    (picture,) = browse('--num', 1)
    pipeline = [Brightest(), Crop(16, random=True), PackInputs()]
    dataset = ShapeScenes('train', 32, pipeline, num_samples=20)
    packed = dataset[next(iter(AddressedSampler(dataset, seed=0)))]
    brightest = packed['inputs'].amax(0)[..., None].expand(-1, -1, 3)
    assert np.array_equal(picture[:256:16, -256::16], brightest)


def test_each_batch_of_several_sizes_has_its_row(
    call_tool, tmp_path, monkeypatch
):
    """Batches of two, as a training makes them; their sizes differ."""
    monkeypatch.setattr(
        'mmldm.visualization.render_sample', lambda image, *_: image
    )
    for i, shape in enumerate([(20, 32)] * 4 + [(32, 20)] * 4):
        path = tmp_path / f'images/{i}.png'
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((*shape, 3), 10 * i, np.uint8))
    config = tmp_path / 'shapes.py'
    config.write_text(
        f"_base_ = '{ROOT}/configs/_base_/datasets/image-folder.py'\n"
        'train_dataloader = dict(global_batch_size=2, dataset=dict(size=16, '
        "split='all', buckets=dict(type='AspectBuckets', step=4), "
        f"data_root='{tmp_path / 'images'}'))\n"
    )
    out = tmp_path / 'out'
    call_tool(TOOL, config, '--out', out, '--num', 8)
    found = [cv2.imread(str(p)).shape for p in sorted(out.glob('0*.png'))]
    assert found[::2] == found[1::2]
    assert {*found} == {(12, 20, 3), (20, 12, 3)}
    heights = sum(shape[0] + GAP for shape in found[::2])
    sheet = cv2.imread(str(out / 'grid.png'))
    assert sheet.shape == (heights + GAP, 2 * (20 + GAP) + GAP, 3)
