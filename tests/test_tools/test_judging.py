"""What tools/test.py says of a first stage."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'


@pytest.fixture
def judge(run_tool, work_dir, tmp_path, monkeypatch):
    """Judges an untrained one on six images; returns the runner."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'no_weights'))
    model = MODELS.build(Config.fromfile(ROOT / CONFIG).model)
    checkpoint = tmp_path / 'iter_1.pth'
    write_checkpoint(dict(state_dict=model.state_dict()), checkpoint)
    options = [
        f'test_dataloader.dataset.{option}'
        for option in ('indices=6', 'size=16')
    ]

    def judge(*flags):
        arguments = (ROOT / CONFIG, checkpoint, '--work-dir', work_dir)
        return run_tool('test', *arguments, *flags, '--cfg-options', *options)

    return judge


def test_metrics_and_pictures_are_in_the_work_directory(judge, work_dir):
    """Without the weights of LPIPS and rFID, those are not among them."""
    hub = judge().message_hub
    assert Path(work_dir, 'grid.png').exists()
    metrics = json.loads(Path(work_dir, 'metrics.json').read_text())
    whole = json.loads(Path(work_dir, 'metrics_protocol.json').read_text())
    assert whole['metrics'] == metrics
    assert whole['protocol']['data']['size'] == 16
    assert metrics == {
        **{
            name: hub.get_scalar(f'test/{name}').current()
            for name in ('recon/psnr', 'recon/ssim')
        },
        **{
            name: [
                hub.get_scalar(f'test/{name}_{channel}').current()
                for channel in range(4)
            ]
            for name in ('latent/mean', 'latent/std')
        },
    }


def test_metrics_go_where_they_are_sent(judge, work_dir, tmp_path):
    judge('--out', tmp_path / 'deep' / 'a.json')
    assert 'recon/psnr' in json.loads((tmp_path / 'deep/a.json').read_text())
    assert not Path(work_dir, 'metrics.json').exists()
