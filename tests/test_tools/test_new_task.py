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
from mmldm.utils.stored_config import store_config

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


@pytest.fixture
def train(outside, run_tool):
    """Trains a config of the page for two iterations."""
    config = Config.fromfile(ROOT / 'configs/autoencoder' / FIRST_STAGE)
    config.model.pop('perceptual', None)
    first_stage = MODELS.build(config.model)
    content = dict(
        state_dict=first_stage.state_dict(),
        meta=dict(cfg=store_config(config.to_dict())),
    )
    write_checkpoint(content, 'first.pth')

    def train(name):
        return run_tool(
            'train',
            name,
            '--cfg-options',
            'train_dataloader.dataset.data_root=images',
            'train_dataloader.global_batch_size=2',
            'train_dataloader.num_workers=0',
            'model.autoencoder_checkpoint=first.pth',
            'model.denoiser.channel_mults=[1,1,1]',
            'model.denoiser.num_res_blocks=1',
            'model.diffusion_scheduler.num_steps=2',
            'default_hooks.latent_scale.num_samples=8',
            'optim_wrapper.optimizer.lr=0.1',
            'train_cfg.max_iters=2',
            'train_cfg.val_interval=2',
        ).bare_model

    return train


def draw_square(side):
    sketch = np.zeros((64, 80), np.uint8)
    cv2.rectangle(sketch, (5, 5), (5 + side, 5 + side), 255)
    cv2.imwrite('sketch.png', sketch)


def shown(tool):
    """Flags of the page's commands that call a tool."""
    commands = PAGE.replace('\\\n', ' ').splitlines()
    start = f'python $MMLDM/tools/{tool}.py '
    return [c.removeprefix(start).split() for c in commands if start in c]


def test_a_new_task_is_trained_and_drawn(train, call_tool):
    """For two iterations; what is drawn follows the sketch."""
    model = train('sketch-to-image.py')
    (embedder,) = model.conditioner.embedders
    assert type(embedder).__module__ == 'sketches'
    drawn = []
    for side in (20, 40):
        draw_square(side)
        runpy.run_path('draw.py')
        drawn.append(cv2.imread('drawn.png'))
    assert drawn[0].shape == (64, 80, 3)
    assert (drawn[0] != drawn[1]).any()
    call_tool('sample', *shown('sample')[0], '--num', 1)
    assert (cv2.imread('samples/images/000000.png') == drawn[1]).all()
    cv2.imwrite('sketch.png', drawn[1])
    with pytest.raises(ValueError, match=r'sketch of .* must be \(1, H, W\)'):
        call_tool('sample', *shown('sample')[0])


def test_a_class_and_a_sketch_are_told_together(train, call_tool):
    for i, folder in enumerate(('a', 'b', 'b')):
        Path('images', folder).mkdir(exist_ok=True)
        Path(f'images/{i}.png').rename(f'images/{folder}/{i}.png')
    model = train('class-and-sketch.py')
    assert model.conditioner.slots == ('vector', 'spatial')
    draw_square(20)
    call_tool('sample', *shown('sample')[1], '--num', 1)
    drawn = [cv2.imread(f'samples/images/00000{i}.png') for i in range(2)]
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
    path = outside / 'depths/0.npy'
    for wrong, message in (
        (np.zeros((4, 5)), 'depth .*0.npy is 4x5, its image .* 80x96'),
        (np.zeros((80, 96, 1)), r'0.npy is float64 \(80, 96, 1\), but must'),
        (np.array([None]), '0.npy cannot be read'),
    ):
        np.save(path, wrong, allow_pickle=True)
        with pytest.raises(ValueError, match=message):
            dataset[0]
