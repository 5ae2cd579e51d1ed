"""Images are RGB all the way from one file to the next.

Pillow, which is asked for RGB, writes and reads the files.
"""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.visualization import LocalVisBackend, Visualizer
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.registry import MODELS
from mmldm.visualization import ImageGridHook, sample_grid

# No channel is like another, nor is any of them symmetric.
PICTURE = np.random.default_rng(0).integers(
    [0, 90, 180], [60, 160, 256], (8, 12, 3), np.uint8
)


def pixels(path):
    return np.asarray(Image.open(path).convert('RGB'))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'images').mkdir()
    Image.fromarray(PICTURE).save(tmp_path / 'images/a.png')
    return tmp_path / 'images'


@pytest.fixture
def dataset(folder):
    """Its samples have the image in every place that images have."""
    pipeline = [
        dict(type='LoadImage'),
        dict(type='KeepReference', size=8),
        dict(type='DegradeBicubic', factor=1),
        dict(type='PackInputs', gt_img=True),
    ]
    return ImageFolder(str(folder), pipeline, serialize_data=False)


@pytest.fixture
def reconstructed(dataset):
    """By the identity, between uint8 and [-1, 1] and back."""
    model = MODELS.build(
        dict(type='FirstStage', autoencoder=dict(type='IdentityAutoencoder'))
    )
    packed = {name: [value] for name, value in dataset[0].items()}
    return model.test_step(packed)


@pytest.fixture
def run(dataset, tmp_path):
    """As much of a Runner as the grid hook uses."""
    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(
        rank=0,
        iter=3,
        model=None,
        logger=logging.getLogger('test'),
        val_dataloader=loader,
        test_dataloader=loader,
        visualizer=Visualizer(
            vis_backends=[LocalVisBackend(str(tmp_path / 'logs'))]
        ),
    )


def test_every_image_of_a_sample_is_rgb(reconstructed):
    (sample,) = reconstructed
    (reference,) = sample.ref_imgs
    expected = PICTURE.transpose(2, 0, 1)
    for image in (sample.gt_img, sample.pred_img, sample.img_lq):
        assert np.array_equal(image, expected)
    assert np.array_equal(reference, expected[:, :, 2:10])


def test_a_picture_is_written_as_it_was_read(reconstructed, run, tmp_path):
    hook = ImageGridHook(show_dir=str(tmp_path / 'show'))
    hook.after_test_iter(run, 0, outputs=reconstructed)
    hook.after_test_epoch(run)
    found = pixels(tmp_path / 'show/images/000000.png')
    assert np.array_equal(found, PICTURE)
    grid = sample_grid([[PICTURE, PICTURE]], [None])
    assert np.array_equal(pixels(tmp_path / 'show/grid.png'), grid)


def test_the_visualizer_is_sent_rgb(reconstructed, run, tmp_path):
    hook = ImageGridHook()
    hook.after_val_iter(run, 0, outputs=reconstructed)
    hook.after_val_epoch(run)
    (path,) = (tmp_path / 'logs').rglob('*.png')
    grid = sample_grid([[PICTURE, PICTURE]], [None])
    assert np.array_equal(pixels(path), grid)
