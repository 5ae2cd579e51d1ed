"""Waits of the CPU for the GPU, counted on a pretended one."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = Path(__file__).parents[1] / 'pretended_cuda' / 'count_waits.py'
HOOKS = dict(
    logger=dict(type='LoggerHook', interval=4),
    checkpoint=dict(type='AtomicCheckpointHook', interval=12),
    health=dict(type='DeadRunHook', interval=3, patience=1),
)
ITERATIONS = 12

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which('g++'), reason='there is no g++'),
]


@pytest.fixture
def waits(training_config, tmp_path):
    """Counts the waits of a config with dotted overrides."""

    def count(**options):
        cfg = copy.deepcopy(training_config)
        cfg.merge_from_dict(
            dict(
                default_hooks=HOOKS,
                log_processor=dict(type='ThroughputLogProcessor'),
                train_cfg=dict(max_iters=ITERATIONS),
                launcher='none',
                experiment_name='waits',
            )
        )
        cfg.merge_from_dict(
            {
                k.replace('__', '.'): v
                for k, v in copy.deepcopy(options).items()
            }
        )
        config, out = tmp_path / 'config.json', tmp_path / 'out.json'
        config.write_text(json.dumps(cfg.to_dict()))
        done = subprocess.run(
            [sys.executable, str(COUNT), str(config), str(out)],
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(out.read_text())

    return count


def check(found):
    """None in a plain iteration, one in a logging one.

    The first ones fill caches, and try a checkpoint.
    """
    for i, places in enumerate(found[2:], start=2):
        allowed = int((i + 1) % HOOKS['logger']['interval'] == 0)
        assert len(places) == allowed, (i, places)


def test_a_diffusion_model_does_not_wait(waits):
    found = waits(
        model__conditioner__drop_prob=0.1,
        model__diffusion_scheduler__num_steps=4,
        optim_wrapper__clip_grad=dict(max_norm=1.0),
        sampled_labels=[3, 5],
    )
    check(found['train'])
    assert found['sample'][1:] == [[]] * (len(found['sample']) - 1)
