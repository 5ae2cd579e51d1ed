"""A training that is killed at any moment goes on as if it had not been."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmldm.utils.checkpoint import newest_checkpoint, read_checkpoint

ROOT = Path(__file__).parents[2]
ITERATIONS = 15
OPTIONS = (
    '--cfg-options',
    f'train_cfg.max_iters={ITERATIONS}',
    'default_hooks.checkpoint.interval=1',
    'default_hooks.checkpoint.max_keep_ckpts=2',
)


def wait_for(work_dir, after, process):
    """Until a training has written its iteration ``after``."""
    deadline = time.monotonic() + 400
    while True:
        newest = newest_checkpoint(work_dir)
        if newest and int(newest.stem.split('_')[1]) >= after:
            break
        assert process.poll() is None, 'ended before it was killed'
        assert time.monotonic() < deadline
        time.sleep(0.03)  # looking often slows the training


def kill_training(config, work_dir, after):
    """Start a training; SIGKILL once it has written ``after`` iterations."""
    process = subprocess.Popen(
        [
            sys.executable,
            ROOT / 'tools' / 'train.py',
            config,
            '--work-dir',
            work_dir,
            '--resume',
            *OPTIONS,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    wait_for(work_dir, after, process)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['config', 'adversarial_config'])
def test_killed_twice_it_ends_like_the_uninterrupted(
    run_tool, request, kind, tmp_path
):
    """A first stage is killed when its discriminator is at work."""
    config = request.getfixturevalue(kind)
    run_tool('train', config, '--work-dir', tmp_path / 'whole', *OPTIONS)
    for after in (4, 11):
        kill_training(config, tmp_path / 'killed', after)
        read_checkpoint(tmp_path / 'killed')  # the newest one is whole
    run_tool(
        'train',
        config,
        '--work-dir',
        tmp_path / 'killed',
        '--resume',
        *OPTIONS,
    )
    ends = [
        read_checkpoint(tmp_path / name / f'iter_{ITERATIONS}.pth')
        for name in ('whole', 'killed')
    ]
    losses = [
        end['message_hub']['log_scalars']['train/loss'][0] for end in ends
    ]
    assert losses[0].tolist() == losses[1].tolist()
    for name, weight in ends[0]['state_dict'].items():
        assert weight.equal(ends[1]['state_dict'][name]), name
