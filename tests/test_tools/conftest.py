"""The tools, run as their scripts are, on a tiny config file."""

import importlib.util
import socket
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmldm.datasets.image_files import read_image
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.model_file import write_model_file
from mmldm.utils.stored_config import store_config

ROOT = Path(__file__).parents[2]

FIRST_STAGE = 'configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'
CONFIG = """
_base_ = '{root}/configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder=None,
    autoencoder_checkpoint='{first_stage}',
    denoiser=dict(channels=64, num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=2))
train_dataloader = dict(global_batch_size=4)
val_dataloader = dict(dataset=dict(num_samples=4))
test_dataloader = dict(batch_size=4, dataset=dict(num_samples=10))
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2),
    latent_scale=dict(num_samples=8))
"""

# Everything that a first stage can be trained with, but LPIPS.
ADVERSARIAL_CONFIG = """
_base_ = [
    '{root}/configs/_base_/datasets/digits_32x32.py',
    '{root}/configs/_base_/schedules/adam_autoencoder-gan.py',
    '{root}/configs/_base_/default_runtime.py',
]
model = dict(
    type='FirstStage',
    autoencoder=dict(
        type='AutoencoderVQ', latent_channels=4, channels=32,
        channel_mults=(1, 1), num_res_blocks=1, mid_attention=False,
        quantizer=dict(
            num_codes=64, ema_decay=0.9, kmeans_init=True, revive_after=1)),
    regularization_weight=1.0,
    perceptual=dict(type='LaplacianPyramidLoss'),
    adversarial=dict(
        type='AdversarialLoss', weight=0.5, start=2, lead=1, ramp=2,
        discriminator=dict(
            type='PatchDiscriminator', channels=8, num_layers=2)),
    equivariance=dict(type='Equivariance', min_scale=0.75))
train_dataloader = dict(global_batch_size=4)
# eps: else Adam makes a whole step of a rounding error.
optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(eps=1e-3)),
    adversarial=dict(optimizer=dict(eps=1e-3)))
train_cfg = dict(max_iters=4, val_interval=4)
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2),
    ema=dict(type='ModuleEMAHook', decay=0.999))
"""


@pytest.fixture
def adversarial_config(tmp_path):
    """A first stage with a codebook and a discriminator, in seconds."""
    path = tmp_path / 'adversarial.py'
    path.write_text(ADVERSARIAL_CONFIG.format(root=ROOT))
    return str(path)


@pytest.fixture
def config(tmp_path):
    """A child of the quickstart's config, cut down to seconds."""
    first_stage = tmp_path / 'first_stage.pth'
    cfg = Config.fromfile(ROOT / FIRST_STAGE).to_dict()
    content = dict(
        state_dict=MODELS.build(cfg['model']).state_dict(),
        meta=dict(cfg=store_config(cfg)),
    )
    write_checkpoint(content, first_stage)
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
def load_benchmark(monkeypatch):
    """Loads tools/benchmarks/NAME.py, which imports its neighbours."""
    monkeypatch.syspath_prepend(ROOT / 'tools' / 'benchmarks')
    return lambda name: load_tool(f'benchmarks/{name}')


@pytest.fixture
def call_tool(monkeypatch):
    """Runs tools/NAME.py, which builds no runner, in this process."""

    def call(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, arguments)])
        load_tool(name).main()

    return call


@pytest.fixture
def load_converter():
    """Loads tools/model_converters/NAME.py."""
    return lambda name: load_tool(f'model_converters/{name}')


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


@pytest.fixture
def draw(tiny_ldm, ldm_config, call_tool, tmp_path):
    """Draws by a model with other parts; the model, and images by name."""

    def draw(overrides, *flags, image_size=8):
        overrides = dict(overrides, image_size=image_size)
        torch.manual_seed(1)
        model = tiny_ldm(**overrides)
        config = ldm_config(**overrides).to_dict()
        path, out = tmp_path / 'model.safetensors', tmp_path / 'out'
        write_model_file(path, model.state_dict(), config)
        call_tool('sample', path, '--out', out, '--batch-size', 3, *flags)
        images = {p.name: read_image(str(p)) for p in out.rglob('*.png')}
        return model, images

    return draw
