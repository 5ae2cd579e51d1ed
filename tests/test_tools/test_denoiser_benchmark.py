"""What tools/benchmarks/denoiser.py says of a small network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
SMALL = dict(
    type='DenoisingUNet',
    in_channels=4,
    out_channels=4,
    channels=64,
    channel_mults=(1, 2),
    num_res_blocks=1,
    attn_factors=(2,),
)


def run(config, *flags):
    tool = ROOT / 'tools/benchmarks/denoiser.py'
    flags = ['--size', '8', '--repeats', '1', *flags]
    return subprocess.run(
        [sys.executable, tool, config, *flags], capture_output=True, text=True
    )


@pytest.mark.parametrize('context_dim', [None, 8])
def test_both_networks_compute_the_same_in_every_row(
    load_benchmark, context_dim
):
    runs = load_benchmark('denoiser_runs')
    from denoiser_report import rows

    setup = runs.Setup(batch_size=2, size=8, num_tokens=3)
    config = SMALL | dict(context_dim=context_dim)
    batch = runs.inputs(config, setup)
    both = [build(config, setup) for build in (runs.ours, runs.diffusers_own)]
    for row in rows():
        for contestant in both:
            contestant.set(row)
        ours, theirs = (contestant.run(row, batch) for contestant in both)
        bound = 1e-4 if row.dtype == 'float32' else 0.05
        assert (ours - theirs).abs().max() < bound * theirs.abs().max(), row


@pytest.mark.slow
def test_every_row_is_timed(tmp_path):
    """Each network in a process of its own."""
    config = tmp_path / 'config.py'
    Config(dict(model=dict(denoiser=SMALL))).dump(config)
    done = run(config, '--context-dim', '8')
    assert done.returncode == 0, done.stderr
    assert 'Traceback' not in done.stderr
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in done.stdout.splitlines()
        if line.startswith(('| forward', '| train step'))
    ]
    assert len({tuple(row[:3]) for row in rows}) == 8
    for row in rows:
        bound = 1e-4 if row[1] == 'float32' else 0.05
        assert float(row[-1]) < bound, row
    assert "times as fast as diffusers' defaults" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    'model, message',
    [
        (dict(type='FirstStage'), 'has no model.denoiser'),
        (
            dict(denoiser=dict(type='DiffusionTransformer')),
            "type='DiffusionTransformer', which.*config of a DenoisingUNet",
        ),
    ],
)
def test_what_is_not_timed_is_refused_in_one_line(tmp_path, model, message):
    config = tmp_path / 'config.py'
    Config(dict(model=model)).dump(config)
    done = run(config)
    assert done.returncode == 1
    assert re.search(message, done.stderr)
    assert 'Traceback' not in done.stderr
