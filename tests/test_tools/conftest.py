"""The tools, run as their scripts are, on a tiny config file."""

import importlib.util
import socket
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

ROOT = Path(__file__).parents[2]

FIRST_STAGE = 'configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'
CONFIG = """
_base_ = '{root}/configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder_checkpoint='{first_stage}',
    denoiser=dict(channels=64, num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=2))
train_dataloader = dict(global_batch_size=4)
val_dataloader = dict(dataset=dict(num_samples=4))
test_dataloader = dict(batch_size=4, dataset=dict(num_samples=10))
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2))
custom_hooks = [
    dict(type='AddressedSeedHook'),
    dict(type='LatentScaleHook', num_samples=8),
    dict(type='ModuleEMAHook', decay=0.999)
]
"""


@pytest.fixture
def config(tmp_path):
    """A child of the quickstart's config, cut down to seconds."""
    first_stage = tmp_path / 'first_stage.pth'
    model = MODELS.build(Config.fromfile(ROOT / FIRST_STAGE).model)
    write_checkpoint(dict(state_dict=model.state_dict()), first_stage)
    path = tmp_path / 'tiny.py'
    path.write_text(CONFIG.format(root=ROOT, first_stage=first_stage))
    return str(path)


@pytest.fixture
def work_dir(tmp_path):
    return str(tmp_path / 'work')


def load_tool(name):
    """tools/NAME.py as a module; the tools are scripts, not a package."""
    spec = importlib.util.spec_from_file_location(
        f'tool_{name}', ROOT / 'tools' / f'{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_tool(monkeypatch):
    """Runs tools/NAME.py in this process; returns the runner it built."""

    def run(name, *arguments):
        tool = load_tool(name)
        built = []
        real = tool.build_runner

        def build_runner(cfg):
            cfg.experiment_name = f'{name}-{id(built)}'
            built.append(real(cfg))
            return built[0]

        monkeypatch.setattr(tool, 'build_runner', build_runner)
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, arguments)])
        tool.main()
        return built[0]

    return run


@pytest.fixture
def port():
    """A free port; the default may be taken by a user's training."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
