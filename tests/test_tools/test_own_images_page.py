"""The configs of docs/en/own_images.md train, on folders as it says."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.stored_config import store_config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/en/own_images.md').read_text()
BASE = 'autoencoder_kl-f4_1xb16-1k_images-64x64.py'
SHORT = (
    'train_dataloader.dataset.data_root=images',
    'train_dataloader.dataset.size=32',
    'train_dataloader.global_batch_size=2',
    'train_dataloader.num_workers=0',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'param_scheduler.1.begin=1',
)
SMALL = (
    'model.autoencoder_checkpoint=first.pth',
    'model.denoiser.channels=32',
    'model.denoiser.channel_mults=[1,1,1]',
    'model.denoiser.num_res_blocks=1',
    'model.diffusion_scheduler.num_steps=2',
    'default_hooks.latent_scale.num_samples=8',
    'default_hooks.validation_loss.num_images=2',
)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder with the page's configs, images and captions."""
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.S):
        file = re.match(r'# (\w+\.py)\n', block)
        (tmp_path / file[1]).write_text(block)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for i in range(27):
        folder = Path('images', 'abcdefghi'[i % 9])
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (40, 44, 3), np.uint8)
        cv2.imwrite(str(folder / f'{i}.png'), pixels)
        (folder / f'{i}.txt').write_text('a cat')
    Path('bert').mkdir()
    words = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'cat')
    Path('bert/vocab.txt').write_text('\n'.join(words))
    return tmp_path


@pytest.fixture
def train(outside, run_tool):
    config = Config.fromfile(ROOT / 'configs/autoencoder' / BASE)
    config.model.pop('perceptual', None)
    content = dict(
        state_dict=MODELS.build(config.model).state_dict(),
        meta=dict(cfg=store_config(config.to_dict())),
    )
    write_checkpoint(content, 'first.pth')

    def train(name, *options):
        return run_tool('train', name, '--cfg-options', *SHORT, *options)

    return train


def test_the_first_stage_of_128_pixels_is_trained(train):
    runner = train('first_stage_128.py')
    assert runner.cfg.train_dataloader.num_workers == 0
    assert [*Path('work_dirs/first_stage_128').glob('best_recon_psnr_*.pth')]


def test_the_model_of_128_pixels_is_trained(train):
    runner = train('ldm_128.py', *SMALL)
    assert runner.cfg.default_hooks.ema.decay == 0.9999
    assert [*Path('work_dirs/ldm_128').glob('best_loss_*.pth')]


def test_the_model_is_measured(train):
    options = ['val_dataloader.dataset.num_samples=4']
    train('measured.py', *SMALL, *options)
    name = 'best_efficientnet_lite0_fd_*.pth'
    assert [*Path('work_dirs/measured').glob(name)]


def test_classes_are_trained_and_drawn_by_name(train, call_tool):
    train('classes.py', *SMALL, 'val_dataloader.dataset.num_samples=2')
    call_tool('sample', 'work_dirs/classes', '--label', 'b', '--num', 1)
    assert Path('samples/images/000000.png').is_file()


def test_captions_are_trained_and_drawn(train, call_tool):
    train('captions.py', *SMALL)
    prompt = ('--prompt', 'a cat', '--num', 1)
    call_tool('sample', 'work_dirs/captions', *prompt)
    assert Path('samples/images/000000.png').is_file()
