"""Processes that fail, hang or are ended, started by tools/launch.py.

The scripts are a few lines: what is asked here is what is shown in the end,
and whether anything goes on.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# 'rank' is the number of the process.
HEAD = 'import os, signal, sys, time\nrank = int(os.environ["RANK"])\n'
# They meet in a minute or more, on a busy machine; then they wait no longer
# than 3 seconds for each other.
TORCH = """
import datetime, torch, torch.distributed as dist
dist.init_process_group('gloo')
dist.barrier()
group = dist.new_group(timeout=datetime.timedelta(seconds=3))
reduce = lambda: dist.all_reduce(torch.ones(3), group=group)
"""


@pytest.fixture
def start(tmp_path):
    """Starts two processes of a script; all are ended after the test."""
    started = []

    def start(script, *arguments, processes=2, **environ):
        path = tmp_path / 'script.py'
        path.write_text(HEAD + script)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ('PORT', 'NNODES', 'NODE_RANK', 'MASTER_ADDR')
        }
        command = [ROOT / 'tools' / 'launch.py', processes, path, *arguments]
        started.append(
            subprocess.Popen(
                [sys.executable, *map(str, command)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**inherited, 'OMP_NUM_THREADS': '1', **environ},
                start_new_session=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """Runs to the end: status, and the lines of standard error."""

    def run(*arguments, **environ):
        process = start(*arguments, **environ)
        output, errors = process.communicate(timeout=300)
        return process.returncode, errors.splitlines(), output

    return run


@pytest.mark.slow
def test_a_mistake_that_all_make_is_shown_once(run):
    status, lines, _ = run("sys.exit('error: bad key\\n(a hint)')")
    assert status == 1
    assert lines[0].startswith('error: bad key (rank')
    assert lines[1:] == ['(a hint)']


@pytest.mark.slow
def test_a_mistake_of_one_names_the_rank(run):
    status, lines, _ = run(
        "sys.exit('error: disk is full') if rank == 1 else time.sleep(100)"
    )
    assert (status, lines) == (1, ['error: disk is full (rank 1)'])


@pytest.mark.slow
def test_a_wrong_flag_is_shown_once_with_status_2(run):
    status, lines, _ = run(
        'import argparse\nargparse.ArgumentParser().parse_args()', '--no-such'
    )
    assert status == 2
    assert len(lines) == 2 and lines[0].startswith('usage: script.py')
    assert 'unrecognized arguments: --no-such (rank' in lines[1]


@pytest.mark.slow
def test_the_traceback_is_of_the_rank_that_failed_first(run):
    """The other one then loses its connection, and says nothing."""
    status, lines, _ = run(TORCH + 'assert rank == 0, "a bug"\nreduce()')
    assert status == 1
    assert lines[0] == 'error: rank 1 failed:'
    assert lines[1].startswith('Traceback')
    assert lines[-1] == 'AssertionError: a bug'
    assert len(lines) < 9
    assert not any('_rank.py' in line for line in lines)


@pytest.mark.slow
def test_a_killed_rank_and_its_signal_are_named(run):
    status, lines, _ = run(
        TORCH + 'if rank == 1: os.kill(os.getpid(), signal.SIGKILL)\nreduce()'
    )
    assert status == 128 + signal.SIGKILL
    assert len(lines) == 1
    assert 'rank 1' in lines[0] and 'SIGKILL' in lines[0]
    assert 'memory may have run out' in lines[0]


@pytest.mark.slow
def test_a_rank_that_hangs_ends_the_job(run):
    status, lines, _ = run(TORCH + 'time.sleep(100) if rank else reduce()')
    assert status == 1
    assert 'rank 0 waited in vain for rank 1' in lines[-1]
    assert 'env_cfg.dist_cfg.timeout' in lines[-1]
    assert len(lines) == 1


def started_ranks(process):
    """The numbers of the two ranks, which print them."""
    return [int(process.stdout.readline()) for _ in range(2)]


def is_alive(pid):
    """Whether a process runs; one that nobody waits for does not."""
    try:
        return ') Z ' not in Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False


# One write, which another process's cannot part.
SLEEP = 'os.write(1, b"%d\\n" % os.getpid())\ntime.sleep(100)'


@pytest.mark.slow
@pytest.mark.parametrize(
    'number, words',
    [(signal.SIGINT, 'interrupted'), (signal.SIGTERM, 'ended by SIGTERM')],
)
def test_a_signal_to_the_group_ends_all_in_one_line(start, number, words):
    process = start(SLEEP)
    ranks = started_ranks(process)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors == f'{words}: 2 processes were stopped\n'
    assert not any(map(is_alive, ranks))


@pytest.mark.slow
def test_a_run_under_nohup_outlives_its_terminal(start):
    """What a launcher is started with is inherited through the start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(SLEEP)
    finally:
        signal.signal(signal.SIGHUP, before)
    started_ranks(process)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)


@pytest.mark.slow
def test_ctrl_c_ends_the_wait_for_other_machines(start, port):
    process = start(SLEEP, NNODES='2', NODE_RANK='1', PORT=str(port))
    assert 'machine 1 of 2' in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith('interrupted')


def assert_all_end(pids):
    deadline = time.monotonic() + 60
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_alive, pids))


@pytest.mark.slow
def test_ranks_end_with_a_killed_launcher(start):
    process = start(SLEEP)
    ranks = started_ranks(process)
    process.kill()
    assert_all_end(ranks)


def test_a_rank_whose_launcher_had_ended_does_not_begin(tmp_path):
    """It would meet the next run at this port in place of its processes."""
    (tmp_path / 'script.py').write_text(HEAD + 'print("begun")')
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / '_rank.py', tmp_path / 'script.py'],
        env={
            **os.environ,
            'RANK': '0',
            'MMLDM_RANK_REPORTS': str(tmp_path),
            'MMLDM_LAUNCHER_PID': '1',
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ''


ENDING = """
import atexit, os, sys, threading, time


class AbortsWhenDestroyed:
    def __del__(self):
        os.abort()


kept = AbortsWhenDestroyed()
atexit.register(print, 'exit function')
late = threading.Thread(target=lambda: (time.sleep(0.3), print('thread')))
late.start()
if len(sys.argv) > 1:
    sys.exit()
"""


@pytest.mark.parametrize('arguments', [[], ['exit']])
def test_a_rank_ends_without_destructors_that_abort(tmp_path, arguments):
    """Its threads and exit functions are waited for."""
    (tmp_path / 'script.py').write_text(ENDING)
    script = [ROOT / 'tools' / '_rank.py', tmp_path / 'script.py']
    done = subprocess.run(
        [sys.executable, *script, *arguments],
        env={
            **os.environ,
            'RANK': '0',
            'MMLDM_RANK_REPORTS': str(tmp_path),
            'MMLDM_LAUNCHER_PID': str(os.getpid()),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split('\n')[:2] == ['thread', 'exit function']


def test_a_port_in_use_is_named(run):
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        status, lines, _ = run(SLEEP, PORT=str(port))
    assert status == 1
    assert len(lines) == 1
    assert f'error: PORT={port} is in use' in lines[0]
    assert 'leave PORT unset' in lines[0]


@pytest.mark.slow
def test_one_machine_takes_a_free_port_and_each_rank_its_share(run):
    """29500 may be in use by another training."""
    script = (
        'print(os.environ["MASTER_PORT"], os.environ["OMP_NUM_THREADS"],'
        ' *sys.argv[1:])'
    )
    status, lines, output = run(script, '$HOME $$', processes=1)
    assert (status, lines) == (0, [])
    port, threads, *rest = output.split()
    assert port != '29500' and threads == '1'
    assert rest == ['$HOME', '$$']


def test_machines_that_do_not_meet_are_told_where(monkeypatch, port):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    import _place

    monkeypatch.setattr(_place, 'JOIN_TIMEOUT', 0)
    place = _place.Place(2, 1, '127.0.0.1', port)
    with pytest.raises(ValueError, match=f'the 2 machines.*{place.port}'):
        _place.wait_for_machine_0(place)
    taken = RuntimeError('failed to listen, name: EADDRINUSE')
    message = _place.meeting_trouble(place, taken)
    assert f'PORT={place.port} is in use' in message


@pytest.mark.parametrize(
    'environ, words',
    [
        (dict(NNODES='two'), "NNODES must be an integer, got 'two'"),
        (dict(NNODES='2', NODE_RANK='2'), 'NODE_RANK=2 must be in 0 ... 1'),
        (dict(PORT='99999'), 'PORT=99999 must be in 1 ... 65535'),
        (dict(MASTER_ADDR='no.such.invalid'), 'MASTER_ADDR=no.such.invalid'),
    ],
)
def test_invalid_variables_are_named(run, environ, words):
    status, lines, _ = run(SLEEP, **environ)
    assert status == 1
    assert len(lines) == 1 and f'error: {words}' in lines[0]
