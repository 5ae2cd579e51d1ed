"""From a folder of oblong images to drawn ones, as docs/en/own_images.md."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmldm.datasets.image_files import read_image

ROOT = Path(__file__).parents[2]
FIRST_STAGE = 'autoencoder/autoencoder_kl-f4_1xb16-1k_images-64x64.py'
LATENT = 'ldm/ldm_kl-f4_1xb32-2k_images-64x64.py'
SHORT = (
    'train_dataloader.dataset.data_root=images',
    'train_dataloader.dataset.size=(24,40)',
    'train_dataloader.global_batch_size=2',
    'train_dataloader.num_workers=0',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
)
SMALL = (
    'model.autoencoder_checkpoint=first',
    'model.denoiser.channel_mults=[1,1,1]',
    'model.denoiser.num_res_blocks=1',
    'model.diffusion_scheduler.num_steps=2',
)


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'images').mkdir()
    rng = np.random.default_rng(0)
    for i in range(5):
        pixels = rng.integers(0, 256, (48, 60 + i, 3), np.uint8)
        cv2.imwrite(f'images/{i}.png', pixels)


def test_oblong_images_are_trained_on_and_drawn(images, run_tool, call_tool):
    held_out = 'val_dataloader.dataset.data_root=images'
    first = run_tool(
        'train',
        str(ROOT / 'configs' / FIRST_STAGE),
        '--work-dir',
        'first',
        '--cfg-options',
        *SHORT,
        held_out,
    )
    assert first.train_dataloader.dataset[0]['inputs'].shape == (3, 24, 40)
    runner = run_tool(
        'train',
        str(ROOT / 'configs' / LATENT),
        '--work-dir',
        'ldm',
        '--cfg-options',
        *SHORT,
        *SMALL,
        'default_hooks.latent_scale.num_samples=8',
    )
    held_out, seen = (
        runner.message_hub.get_scalar(f'val/{name}').current()
        for name in ('loss', 'loss_train')
    )
    assert 0 < held_out != seen > 0
    autoencoder = runner.bare_model.autoencoder
    assert autoencoder.encode(torch.zeros(1, 3, 24, 40)).shape[2:] == (6, 10)
    call_tool('sample', 'ldm', '--num', 2, '--out', 'drawn')
    assert read_image('drawn/images/000001.png').shape == (24, 40, 3)
    options = [o for o in SHORT if 'data_root' in o or 'size' in o]
    call_tool(
        'test',
        str(ROOT / 'configs' / LATENT),
        'ldm',
        '--work-dir',
        'ldm',
        '--cfg-options',
        *options,
        'test_evaluator={"type": "GeneratedImages", '
        '"features": {"type": "EfficientNetLiteFeatures", "side": 32}}',
        *SMALL,
        'test_dataloader.dataset.num_samples=3',
    )
    metrics = json.loads(Path('ldm/metrics.json').read_text())
    assert metrics['efficientnet_lite0/num_images'] == 3
    assert metrics['efficientnet_lite0/fd'] > 0
    protocol = json.loads(Path('ldm/metrics_protocol.json').read_text())
    sampling = protocol['protocol']['sampling']
    assert sampling['num_steps'] == 2
    assert sampling['solver']['type']
    assert protocol['protocol']['judges'][0]['side'] == 32
    assert protocol['protocol']['model']['checkpoint'] == 'ldm/iter_2.pth'
