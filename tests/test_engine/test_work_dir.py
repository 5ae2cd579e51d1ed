"""One training a work directory, which must be writable."""

import errno
import os
import signal
import subprocess
import sys
from logging import getLogger

import pytest

from mmldm.engine import work_dir as module
from mmldm.engine.work_dir import (
    check_writable,
    claimed,
    running_training,
)
from mmldm.utils.checkpoint import read_checkpoint

HOLD = """
import sys, time
from logging import getLogger
from mmldm.engine.work_dir import claimed
with claimed(sys.argv[1], getLogger()):
    print('held', flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the work directory."""
    work_dir = tmp_path / 'work'
    work_dir.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, work_dir],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == 'held\n'
    yield process
    process.kill()
    process.wait()


def test_a_second_training_is_refused_until_the_first_is_killed(
    build_runner, holder, tmp_path
):
    """The config of the first stays; a kill leaves no stale refusal."""
    runner = build_runner(train_cfg__max_iters=2)
    assert not list((tmp_path / 'work').glob('*.py'))
    message = f'work is used by .*pid {holder.pid} on .*another --work-dir'
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert not list((tmp_path / 'work').glob('iter_*'))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    runner = build_runner(train_cfg__max_iters=2)
    runner.train()
    assert (tmp_path / 'work' / 'iter_2.pth').exists()


def test_one_after_the_other_may_train(build_runner):
    """Also after one that failed."""
    broken = build_runner(train_cfg__max_iters=0)
    with pytest.raises(ValueError, match='max_iters'):
        broken.train()
    runner = build_runner(train_cfg__max_iters=2)
    runner.train()
    assert running_training(runner.work_dir) is None


def test_a_training_within_a_training_is_refused(tmp_path):
    """And asking does not give the lock away."""
    with claimed(tmp_path, getLogger()):
        assert 'this process' in running_training(tmp_path)
        with (
            pytest.raises(ValueError, match='this process'),
            claimed(tmp_path, getLogger()),
        ):
            pass
    assert running_training(tmp_path) is None


def test_a_look_at_a_lock_is_waited_for(tmp_path, monkeypatch):
    """And no file is left by one."""
    assert running_training(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    real, calls = module.fcntl.lockf, []

    def lockf(lock, how):
        calls.append(how)
        if len(calls) == 1:
            raise OSError(errno.EAGAIN, 'busy')
        real(lock, how)

    monkeypatch.setattr(module.fcntl, 'lockf', lockf)
    with claimed(tmp_path, getLogger()):
        assert len(calls) == 2


def test_all_processes_learn_that_the_first_was_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'is_main_process', lambda: False)

    def broadcast(values):
        values[:] = ['pid 7 on node', None]

    monkeypatch.setattr(module, 'broadcast_object_list', broadcast)
    with (
        pytest.raises(ValueError, match='pid 7 on node'),
        claimed(tmp_path, getLogger()),
    ):
        pass


@pytest.mark.parametrize('code', [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_said(
    tmp_path, monkeypatch, caplog, code
):
    def lockf(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(module.fcntl, 'lockf', lockf)
    with claimed(tmp_path, getLogger()):
        pass
    assert 'without locks' in caplog.text
    assert os.strerror(code) in caplog.text


def test_a_system_without_fcntl_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, 'fcntl', None)
    with claimed(tmp_path, getLogger()):
        pass
    assert 'without locks (this system has no fcntl)' in caplog.text


@pytest.mark.parametrize('code', [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_work_directory_that_takes_no_files_is_named(
    build_runner, monkeypatch, code
):
    """Before the model is built."""

    def write_bytes(self, data):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr('pathlib.Path.write_bytes', write_bytes)
    reason = os.strerror(code)
    message = rf'work is not writable \({reason}\): .*--work-dir'
    with pytest.raises(OSError, match=message):
        build_runner()


def test_a_work_directory_below_a_file_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='Not a directory.*--work-dir'):
        check_writable(tmp_path / 'file' / 'work')


def test_a_check_leaves_nothing(tmp_path):
    check_writable(tmp_path / 'new')
    assert list((tmp_path / 'new').iterdir()) == []


def test_a_resumed_training_passes_over_what_is_cut_off(build_runner, caplog):
    runner = build_runner(train_cfg__max_iters=4)
    runner.train()
    newest = os.path.join(runner.work_dir, 'iter_4.pth')
    with open(newest, 'r+b') as file:
        file.truncate(os.path.getsize(newest) // 2)
    resumed = build_runner(resume=True)
    resumed.logger.addHandler(caplog.handler)
    resumed.train()
    assert sorted(resumed.record.losses) == [2, 3, 4, 5]
    assert 'iter_4.pth' in caplog.text
    assert 'cut off: iter_2.pth is used' in caplog.text


def test_a_clock_set_back_is_not_noticed(build_runner):
    """The record, not the time, says what was written last."""
    runner = build_runner(train_cfg__max_iters=4)
    runner.train()
    os.utime(os.path.join(runner.work_dir, 'iter_4.pth'), (0, 0))
    resumed = build_runner(resume=True)
    resumed.train()
    assert sorted(resumed.record.losses) == [4, 5]
    assert read_checkpoint(runner.work_dir)['meta']['iter'] == 6


def test_a_record_that_cannot_be_written_is_named(build_runner, monkeypatch):
    """The disk is full just after the checkpoint."""
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > 2:  # file and directory of the checkpoint
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, 'fsync', fsync)
    message = 'last_checkpoint could not .*No space .*iter_2.pth is complete'
    with pytest.raises(OSError, match=message):
        build_runner().train()
