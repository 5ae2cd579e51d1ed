"""From a folder of images of any proportions to drawn ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmldm.apis import LatentDiffusionInferencer
from mmldm.datasets import AddressedIndex, CachedLatents
from mmldm.datasets.image_files import read_image

ROOT = Path(__file__).parents[2]
FIRST_STAGE = 'autoencoder/autoencoder_kl-f4_1xb16-1k_images-64x64.py'
LATENT = 'ldm/ldm_kl-f4_1xb32-2k_images-64x64.py'
SHORT = (
    'train_dataloader.dataset.data_root=images',
    'train_dataloader.dataset.size=32',
    "train_dataloader.dataset.buckets={'type': 'AspectBuckets', 'step': 8}",
    'train_dataloader.global_batch_size=2',
    'train_dataloader.num_workers=0',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'param_scheduler=[]',
)
SMALL = (
    'model.autoencoder_checkpoint=first',
    'model.denoiser.channel_mults=[1,1,1]',
    'model.denoiser.num_res_blocks=1',
    'model.denoiser.channels=32',
    'model.diffusion_scheduler.num_steps=2',
    'val_dataloader.dataset.num_samples=6',
    'default_hooks.latent_scale.num_samples=8',
)
CENTRED = (
    'train_dataloader.dataset.pipeline='
    "[{'type': 'LoadImage'}, {'type': 'ResizeShorterSide'}, {'type': 'Crop', "
    "'random': False}, {'type': 'RandomFlip'}, {'type': 'PackInputs'}]"
)
TRAINED = {(24, 40), (32, 32), (40, 24)}


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Wide, square and tall images; a panorama is held out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'images').mkdir()
    rng = np.random.default_rng(0)
    shapes = [(48, 80), (50, 50), (80, 48), (48, 80), (20, 200), (70, 40)]
    for i, shape in enumerate(shapes):
        pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
        cv2.imwrite(f'images/{i}.png', pixels)


@pytest.fixture
def trained(images, run_tool):
    """The runner of a diffusion training after that of its first stage."""
    for config, name, more in (
        (FIRST_STAGE, 'first', ('val_dataloader.dataset.split=all',)),
        (LATENT, 'ldm', SMALL),
    ):
        path = str(ROOT / 'configs' / config)
        flags = ('--work-dir', name, '--cfg-options', *SHORT, *more)
        runner = run_tool('train', path, *flags)
    return runner


def test_shapes_are_trained_on_judged_and_drawn(
    trained, run_tool, call_tool, recwarn
):
    hub = trained.message_hub
    losses = [
        hub.get_scalar(f'val/{n}').current() for n in ('loss', 'loss_train')
    ]
    assert all(loss > 0 for loss in losses)
    assert {*trained.train_dataloader.dataset.sizes} >= TRAINED
    asked = trained.val_dataloader.dataset
    sizes = [asked[i]['data_samples'].img_shape for i in range(6)]
    assert {*sizes} == {*trained.train_dataloader.dataset.sizes}
    call_tool('sample', 'ldm', '--num', 1, '--size', '24x40', '--out', 'wide')
    assert read_image('wide/images/000000.png').shape == (24, 40, 3)
    assert not [w for w in recwarn if 'trained at' in str(w.message)]
    with pytest.warns(UserWarning, match='size=16x64 .* trained at: 24x40, '):
        call_tool('sample', 'ldm', '--num', 1, '--size', 16, 64, '--out', 'x')
    generate = LatentDiffusionInferencer('ldm')
    assert {*generate.model.trained_sizes} <= TRAINED
    assert 'trained at 24x40' in str(generate.settings)
    call_tool('model_converters/publish_model', 'ldm', 'published')
    (published,) = Path().glob('published-*.safetensors')
    other = LatentDiffusionInferencer(str(published)).model
    assert other.trained_sizes == generate.model.trained_sizes


def test_a_cache_has_all_shapes(trained, run_tool):
    path = str(ROOT / 'configs' / LATENT)
    flags = ('--work-dir', 'ldm', '--cfg-options', *SHORT, *SMALL, CENTRED)
    runner = run_tool('cache_latents', path, 'cache', *flags)
    images, model = runner.train_dataloader.dataset, runner.bare_model
    images.pipeline.transforms[3].prob = 0.5
    cached = CachedLatents('cache', runner.cfg.train_dataloader.dataset)
    assert cached.size_counts() == images.size_counts()
    assert (cached.size_groups() == images.size_groups()).all()
    for i in range(len(images)):
        index = AddressedIndex(i, seed=1, epoch=2, position=i)
        one, two = (
            model.data_preprocessor(pseudo_collate([data[index]]))
            for data in (images, cached)
        )
        expected, found = (
            model.loss(batch['inputs'], batch['data_samples'])['loss_denoise']
            for batch in (one, two)
        )
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    options = (*flags, 'latent_cache=cache')
    again = run_tool('train', path, *options, '--work-dir', 'again')
    assert isinstance(again.train_dataloader.dataset, CachedLatents)
    assert again.iter == 2
