"""Wrong inputs, given to the tools as a user gives them."""

import importlib.util
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer

from mmldm.apis import run_tool
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

ROOT = Path(__file__).parents[3]
FIRST_STAGE = """
_base_ = [
    '{root}/configs/autoencoder/'
    'autoencoder_kl-f4_1xb32-300_digits-32x32.py']
model = dict(autoencoder=dict(
    channels=32, channel_mults=(1, 1, 1), num_res_blocks=1))
train_dataloader = dict(global_batch_size=4, num_workers=0)
val_dataloader = dict(batch_size=4, num_workers=0, dataset=dict(indices=4))
train_cfg = dict(max_iters=1, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.5, by_epoch=False, end=1)]
"""
LDM = """
_base_ = '{root}/configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder=dict(
        type='AutoencoderKL', latent_channels=4, channels=32,
        channel_mults=(1, 1, 1), num_res_blocks=1, mid_attention=False),
    autoencoder_checkpoint='{folder}/first_stage.pth',
    denoiser=dict(channels=64, num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=2))
train_dataloader = dict(global_batch_size=4, num_workers=0)
test_dataloader = dict(
    num_workers=0, batch_size=4, dataset=dict(num_samples=4))
"""


@pytest.fixture(scope='session')
def files(tmp_path_factory):
    """A folder with a small config of each editor, and weights."""
    folder = tmp_path_factory.mktemp('files')
    for name, text in (('first_stage', FIRST_STAGE), ('ldm', LDM)):
        path = folder / f'{name}.py'
        path.write_text(text.format(root=ROOT, folder=folder))
        model = MODELS.build(Config.fromfile(path).model)
        weights = dict(state_dict=model.state_dict())
        write_checkpoint(weights, folder / f'{name}.pth')
    return folder


@pytest.fixture
def tool(files, tmp_path, monkeypatch):
    """Runs a tool by its path, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(path, *argv):
        spec = importlib.util.spec_from_file_location('tool', ROOT / path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, 'argv', [path, *map(str, argv)])
        run_tool(module.main)

    return run


@pytest.fixture(autouse=True)
def _no_runner_before():
    """Runners of one second share a name, and by that mmengine's objects."""
    for cls in (Visualizer, MessageHub, MMLogger):
        cls._instance_dict.clear()


@pytest.fixture
def verdict(tool, capsys):
    """What a tool says of wrong input; all of it is one line."""

    def verdict(path, *argv):
        with pytest.raises(SystemExit) as stop:
            tool(path, *argv)
        if stop.value.code == 2:  # argparse says it itself
            return capsys.readouterr().err.splitlines()[-1]
        line, remark = stop.value.code.splitlines()
        assert line.startswith('error: ') and len(line) < 3000
        assert 'MMLDM_DEBUG=1' in remark
        return line

    return verdict
