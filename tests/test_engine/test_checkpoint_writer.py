"""A training goes on while its checkpoints are written."""

import errno
import os
import signal
import threading
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from mmldm.engine.checkpoint_writer import CheckpointWriter
from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.sharding import snapshot

FULL = OSError(errno.ENOSPC, 'No space left on device')


class Disk:
    """Flushes wait until the disk is free; they may fail."""

    def __init__(self, monkeypatch):
        self.free = threading.Event()
        self.error = None
        self.real = os.fsync
        monkeypatch.setattr(os, 'fsync', self.fsync)

    def fsync(self, descriptor):
        assert self.free.wait(60), 'the training waits for the disk'
        if self.error is not None:
            raise self.error
        self.real(descriptor)


class At(Hook):
    """Calls a function before one iteration."""

    def __init__(self, iteration, act):
        self.iteration, self.act = iteration, act

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == self.iteration:
            self.act(runner)


@pytest.fixture
def disk(monkeypatch):
    disk = Disk(monkeypatch)
    yield disk
    disk.free.set()


def checkpoints(runner):
    return sorted(p.name for p in Path(runner.work_dir).glob('iter_*.pth'))


def same(a, b):
    """Whether two nests are equal, bit by bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_iterations_pass_meanwhile_and_change_nothing_in_it(
    build_runner, disk, tmp_path
):
    """Its weights, average and Adam's state are those of its iteration."""
    seen = []

    def release(runner):
        seen.extend(checkpoints(runner))
        disk.free.set()

    held = build_runner(work_dir=str(tmp_path / 'held'))
    held.register_hook(At(3, release))
    held.train()
    assert seen == []
    assert checkpoints(held) == ['iter_2.pth', 'iter_4.pth', 'iter_6.pth']
    usual = build_runner(work_dir=str(tmp_path / 'usual'))
    usual.train()
    for name in checkpoints(held):
        a, b = (
            read_checkpoint(Path(runner.work_dir, name))
            for runner in (held, usual)
        )
        for key in ('state_dict', 'raw_state_dict', 'optimizer'):
            assert same(a[key], b[key]), (name, key)
        scalars = [
            x['message_hub']['log_scalars']['train/loss'] for x in (a, b)
        ]
        assert same(*scalars)


def test_a_failure_ends_the_training_in_the_next_iteration(build_runner, disk):
    runner = build_runner(default_hooks__checkpoint__interval=3)
    disk.error = FULL
    disk.free.set()
    runner.register_hook(At(3, lambda run: run.checkpoint_writer.wait()))
    with pytest.raises(OSError, match='iter_3.pth could not be written'):
        runner.train()
    assert max(runner.record.losses) in (2, 3)
    assert not Path(runner.work_dir, 'last_checkpoint').exists()


def test_the_last_checkpoint_must_be_written_too(build_runner, disk):
    runner = build_runner(train_cfg__max_iters=2)
    disk.error = FULL
    disk.free.set()
    with pytest.raises(OSError, match='iter_2.pth could not be written'):
        runner.train()


@pytest.mark.parametrize('fails', [False, True])
def test_another_error_waits_for_the_writing(
    build_runner, disk, fails, caplog
):
    """Its failure goes to the log: the first error is the reason."""

    def stop(runner):
        threading.Timer(0.2, disk.free.set).start()
        raise KeyboardInterrupt

    runner = build_runner()
    runner.logger.addHandler(caplog.handler)
    runner.register_hook(At(3, stop))
    disk.error = FULL if fails else None
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert checkpoints(runner) == ([] if fails else ['iter_2.pth'])
    said = [r.getMessage() for r in caplog.records]
    assert any('iter_2.pth could not be' in text for text in said) == fails


def test_one_is_written_at_a_time(disk, tmp_path):
    writer, written = CheckpointWriter(None), []
    writer.begin({}, tmp_path / 'a.pth', lambda: written.append('a'))
    threading.Timer(0.2, disk.free.set).start()
    writer.begin({}, tmp_path / 'b.pth', lambda: written.append('b'))
    assert written[:1] == ['a']
    writer.finish()
    assert written == ['a', 'b']
    assert [p.name for p in sorted(tmp_path.iterdir())] == ['a.pth', 'b.pth']


def test_a_kill_while_writing_leaves_what_was_there(build_runner, tmp_path):
    """The resumed training equals an uninterrupted one."""
    whole = build_runner(work_dir=str(tmp_path / 'whole'))
    whole.train()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _train_on_a_stuck_disk(build_runner, tell)
        finally:
            os._exit(1)
    os.close(tell)
    assert os.read(ready, 1) == b'5'
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    resumed = build_runner(resume=True)
    assert checkpoints(resumed) == ['iter_2.pth']
    resumed.train()
    expected = {i: x for i, x in whole.record.losses.items() if i >= 2}
    assert resumed.record.losses == expected
    assert not [*Path(resumed.work_dir).glob('*.tmp')]


def _train_on_a_stuck_disk(build_runner, tell):
    """Train; from iteration 4 on, no flush ends. Tells iteration 5."""
    signal.alarm(100)
    runner = build_runner(default_hooks__checkpoint__max_keep_ckpts=1)

    def stick(runner):
        os.fsync = lambda descriptor: threading.Event().wait()

    def say(runner):
        os.write(tell, b'5')
        threading.Event().wait()

    runner.register_hook(At(3, lambda run: run.checkpoint_writer.wait()))
    runner.register_hook(At(3, stick))
    runner.register_hook(At(5, say))
    runner.train()


def test_a_snapshot_shares_no_memory():
    x = torch.arange(6.0).reshape(1, 2, 1, 3)
    nest = dict(x=x.to(memory_format=torch.channels_last), rest=[x, (1, 'a')])
    taken = snapshot(nest)
    assert same(taken, nest)
    assert taken['x'].is_contiguous(memory_format=torch.channels_last)
    x += 1
    assert not taken['rest'][0].equal(x)
    assert snapshot(nest, keep=False) == dict(x=None, rest=[None, (1, 'a')])
