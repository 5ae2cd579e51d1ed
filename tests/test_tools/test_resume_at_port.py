"""Two processes that end at any moment do not meet those that follow."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRON = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable}


def wait_until(reached, process):
    deadline = time.monotonic() + 400
    while not reached():
        assert process.poll() is None, 'ended before it was to be ended'
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ranks_of(process):
    """The processes that a launcher has started."""
    path = Path(f'/proc/{process.pid}/task/{process.pid}/children')
    return path.read_text().split() if path.exists() else []


def is_alive(pid):
    """Whether a process runs; one that nobody waits for does not."""
    try:
        return ') Z ' not in Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    'number, trained',
    [(signal.SIGKILL, 0), (signal.SIGKILL, 1), (signal.SIGINT, 1)],
)
def test_a_run_ended_and_resumed_at_once_at_its_port_goes_on(
    config, tmp_path, port, number, trained
):
    """At first the ranks are importing, and notice nothing themselves.

    They went on where the launcher alone had been killed, met the resumed
    run's, and in 2 of 5 runs both hung.
    """
    work = tmp_path / 'work'
    # The config's schedule ends after its 8 iterations.
    options = (
        *('--work-dir', work, '--resume'),
        *('--cfg-options', 'param_scheduler=None'),
    )
    every = 'default_hooks.checkpoint.interval=1'
    command = ['bash', ROOT / 'tools' / 'dist_train.sh', config, '2', *options]
    environ = dict(ENVIRON, PORT=str(port))
    process = subprocess.Popen(
        [*command, every, 'train_cfg.max_iters=100000'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
    )
    wait_until(lambda: len(ranks_of(process)) == 2, process)
    if trained:
        wait_until(lambda: list(work.glob('iter_*.pth')), process)
    ranks = ranks_of(process)
    end = os.kill if number == signal.SIGKILL else os.killpg
    end(process.pid, number)
    steps = 4 if trained == 0 else 12
    resumed = subprocess.run(
        [*command, f'train_cfg.max_iters={steps}'],
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert (work / f'iter_{steps}.pth').exists()
    assert process.wait(60) != 0
    assert not any(map(is_alive, ranks))
