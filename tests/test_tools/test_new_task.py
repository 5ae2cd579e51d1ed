"""What docs/en/new_task.md shows, in a folder outside of the package."""

import re
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmldm.registry import DATASETS, MODELS
from mmldm.utils.checkpoint import write_checkpoint

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/en/new_task.md').read_text()
FIRST_STAGE = 'autoencoder_kl-f4_1xb16-1k_images-64x64.py'


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder with the page's files, which is on PYTHONPATH."""
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.S):
        name = re.match(r'# (\S+\.py)\n', block)
        if name:
            text = block.replace('/path/to/mmldm', str(ROOT))
            (tmp_path / name[1]).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'images').mkdir()
    for i in range(3):
        image = np.zeros((80, 96, 3), np.uint8)
        cv2.circle(image, (48, 40), 10 * i + 10, (0, 120, 255), -1)
        cv2.imwrite(f'images/{i}.png', image)
    return tmp_path


def test_a_new_task_is_trained_and_drawn(outside, run_tool):
    """For two iterations; what is drawn follows the sketch."""
    config = Config.fromfile(ROOT / 'configs/autoencoder' / FIRST_STAGE)
    config.model.pop('perceptual', None)
    first_stage = MODELS.build(config.model)
    write_checkpoint(dict(state_dict=first_stage.state_dict()), 'first.pth')
    runner = run_tool(
        'train',
        'sketch-to-image.py',
        '--cfg-options',
        'train_dataloader.dataset.data_root=images',
        'train_dataloader.global_batch_size=2',
        'train_dataloader.num_workers=0',
        'model.autoencoder_checkpoint=first.pth',
        'model.denoiser.num_res_blocks=1',
        'model.diffusion_scheduler.num_steps=2',
        'optim_wrapper.optimizer.lr=0.1',
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
    )
    (embedder,) = runner.bare_model.conditioner.embedders
    assert type(embedder).__module__ == 'sketches'
    drawn = []
    for side in (20, 40):
        sketch = np.zeros((64, 80), np.uint8)
        cv2.rectangle(sketch, (5, 5), (5 + side, 5 + side), 255)
        cv2.imwrite('sketch.png', sketch)
        runpy.run_path('draw.py')
        drawn.append(cv2.imread('drawn.png'))
    assert drawn[0].shape == (64, 80, 3)
    assert (drawn[0] != drawn[1]).any()


def test_conditions_in_files_move_with_the_image(outside):
    """Depth is what the image shows."""
    runpy.run_path('depths.py')  # registers
    (outside / 'depths').mkdir()
    for path in (outside / 'images').iterdir():
        image = cv2.imread(str(path))
        np.save(outside / f'depths/{path.stem}.npy', image[..., 1] / 255)
    (block,) = re.findall(r'```python\n(dataset = .*?)```', PAGE, re.S)
    shown = {}
    exec(block, shown)
    dataset = DATASETS.build(
        dict(shown['dataset'], data_root=str(outside), size=32)
    )
    for i in range(3):
        packed = dataset[i]
        depth = packed['data_samples'].depth
        assert depth.shape == (1, 32, 32)
        # Edges of the image are smoothed.
        seen = packed['inputs'][1:2] / 255
        assert ((seen - depth).abs() < 0.01).float().mean() > 0.8
        assert depth.any()
