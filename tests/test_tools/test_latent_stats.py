"""The tool that stores the scale of latents with the first stage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import (
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)

ROOT = Path(__file__).parents[2]
TOOL = 'analysis_tools/latent_stats'
SCALE = 'autoencoder.latent_scale'
SHIFT = 'autoencoder.latent_shift'
CONFIG = """
_base_ = '{root}/configs/autoencoder/{name}.py'
train_dataloader = dict(dataset=dict(size=8))
"""


@pytest.fixture
def first_stage(tmp_path):
    """Config and checkpoint, which holds more than weights."""
    name = 'autoencoder_kl-f4_1xb32-300_digits-32x32'
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(root=ROOT, name=name))
    torch.manual_seed(5)  # not the weights that the tool's runner draws
    model = MODELS.build(Config.fromfile(config).model)
    path = tmp_path / 'iter_7.pth'
    write_checkpoint(
        dict(state_dict=model.state_dict(), meta=dict(iter=7)), path
    )
    return config, path


@pytest.fixture
def measure(run_tool, first_stage, work_dir):
    """Runs the tool on 6 images."""

    def measure(*flags, checkpoint=first_stage[1]):
        return run_tool(
            TOOL,
            first_stage[0],
            checkpoint,
            '--work-dir',
            work_dir,
            '--num-images',
            6,
            *flags,
        )

    return measure


def test_the_scale_is_stored_and_all_else_stays(measure, first_stage, capsys):
    path = first_stage[1]
    before = read_checkpoint(path)
    runner = measure()
    after = read_checkpoint(path)
    assert after['meta'] == before['meta']
    assert list(after['state_dict']) == list(before['state_dict'])
    for name, weight in before['state_dict'].items():
        assert torch.equal(weight, after['state_dict'][name]) == (
            name != SCALE
        ), name
    scale = after['state_dict'][SCALE]
    for name, weight in runner.model.state_dict().items():
        assert torch.equal(weight, after['state_dict'][name]), name
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line.split() for line in lines if line.startswith('    all')]
    assert float(row[3]) == pytest.approx(scale[0].item(), rel=1e-4)
    assert float(row[2]) == pytest.approx(1 / float(row[3]), rel=1e-4)


def test_per_channel_stores_what_the_table_shows(measure, first_stage, capsys):
    measure('--per-channel')
    weights = read_checkpoint(first_stage[1])['state_dict']
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line[:7].strip().isdigit()]
    table = torch.tensor([[float(n) for n in row[1:]] for row in rows])
    torch.testing.assert_close(
        table[:, 0], weights[SHIFT].flatten(), rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(
        table[:, 2], weights[SCALE].flatten(), rtol=1e-4, atol=0
    )
    assert len(weights[SCALE].unique()) == 4


def test_how_many_images_and_which_seed_matter(measure, first_stage):
    scales = set()
    for flags in (), ('--num-images', 5), ('--seed', 1), ('--batch-size', 2):
        measure(*flags)
        weights = read_checkpoint(first_stage[1])['state_dict']
        scales.add(round(weights[SCALE][0].item(), 5))
    assert len(scales) == 3  # the batch size does not


def test_out_leaves_the_checkpoint_as_it_is(measure, first_stage, tmp_path):
    before = first_stage[1].read_bytes()
    out = tmp_path / 'deep' / 'scaled.pth'
    measure('--out', out)
    assert first_stage[1].read_bytes() == before
    assert (read_checkpoint(out)['state_dict'][SCALE] != 1).all()
    assert read_checkpoint(out)['meta'] == dict(iter=7)


def test_the_newest_checkpoint_of_a_folder_stays_the_newest(
    measure, first_stage, tmp_path
):
    old, path = tmp_path / 'iter_3.pth', first_stage[1]
    old.write_bytes(path.read_bytes())
    os.utime(old, ns=(0, path.stat().st_mtime_ns - 10**9))
    measure(checkpoint=old)
    assert newest_checkpoint(tmp_path) == path
    measure(checkpoint=tmp_path)
    for checkpoint in (old, path):
        weights = read_checkpoint(checkpoint)['state_dict']
        assert (weights[SCALE] != 1).all()


def test_a_second_stage_is_refused(run_tool, config, tmp_path):
    with pytest.raises(ValueError, match='has a LatentDiffusion, .* of its f'):
        run_tool(TOOL, config, tmp_path, '--work-dir', tmp_path / 'work')


@pytest.mark.parametrize('flag', ['--num-images', '--batch-size'])
def test_numbers_must_be_positive(measure, flag):
    with pytest.raises(ValueError, match=f'{flag}=0 must be a whole number'):
        measure(flag, 0)


def test_a_safetensors_file_is_not_overwritten(measure, tmp_path):
    with pytest.raises(ValueError, match='set --out FILE.pth'):
        measure(checkpoint=tmp_path / 'a.safetensors')


@pytest.mark.slow
def test_two_processes_measure_what_one_measures(
    measure, first_stage, tmp_path, work_dir
):
    flags = ('--per-channel', '--batch-size', 4)
    measure(*flags, '--out', tmp_path / 'one.pth')
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tools' / 'launch.py'),
            '2',
            str(ROOT / 'tools' / f'{TOOL}.py'),
            *map(str, first_stage),
            '--launcher=pytorch',
            f'--work-dir={work_dir}',
            '--num-images=6',
            '--batch-size=4',
            '--per-channel',
            f'--out={tmp_path / "two.pth"}',
        ],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (
        read_checkpoint(tmp_path / f'{name}.pth')['state_dict']
        for name in ('one', 'two')
    )
    for name in (SCALE, SHIFT):
        assert torch.equal(one[name], two[name])
