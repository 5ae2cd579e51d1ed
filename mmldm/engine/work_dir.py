"""The work directory: a lock for one training at a time, and its files."""

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.evaluator import Evaluator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = '.training.lock'
# Errors by which the system reports that another process holds the lock.
HELD = {errno.EACCES, errno.EAGAIN}
# Several attempts: looking at the lock holds it for an instant.
ATTEMPTS, PAUSE = 3, 0.2
# Locked by this process: closing a second file of the lock would release it.
_held: set[Path] = set()
# Written first: if mmengine's logger cannot open its file, it says no reason.
PROBE = '.writable'


def check_writable(work_dir: str | Path) -> None:
    """Make a work directory, and raise unless files can be written in it.

    Raises:
        OSError: Names the folder, the reason and the remedy.
    """
    path = Path(work_dir)
    probe = path / f'{PROBE}.{socket.gethostname()}.{os.getpid()}'
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b'0' * 4096)  # a full disk accepts an empty file
    except OSError as error:
        raise OSError(
            f'the work directory {path} is not writable '
            f'({error.strerror}): free disk space, make it writable, or '
            'choose another --work-dir'
        ) from error
    finally:
        if path.is_dir():
            probe.unlink(missing_ok=True)


@contextmanager
def claimed(work_dir: str | Path, logger: Any) -> Iterator[None]:
    """Hold the lock of a work directory while a training runs.

    The first of several processes holds the lock, and tells the
    others whether it got it. The
    operating system releases the lock when the process ends, in whatever
    way.

    Args:
        work_dir: An existing folder.
        logger: Logs a warning if the file system has no locks.

    Raises:
        ValueError: If another training holds the lock; names its process
            and host.
    """
    lock, owner, missing = None, None, None
    if is_main_process():
        lock, owner, missing = _lock(Path(work_dir))
    found = [owner, missing]
    broadcast_object_list(found)
    owner, missing = found
    if owner is not None:
        raise ValueError(
            f'{work_dir} is used by a running training ({owner}): '
            'end it, or choose another --work-dir'
        )
    if missing is not None:
        logger.warning(
            f'{work_dir} is on a file system without locks ({missing}): '
            'a second training in it would not be noticed'
        )
    path = Path(work_dir).resolve()
    _held.add(path)
    try:
        yield
    finally:
        _held.discard(path)
        if lock is not None:
            os.close(lock)


def running_training(work_dir: str | Path) -> str | None:
    """Process and host of the training that holds a lock; None if free."""
    path = Path(work_dir)
    if path.resolve() in _held:
        return f'pid {os.getpid()}, this process'
    if fcntl is None or not (path / LOCK).exists():
        return None
    lock = os.open(path / LOCK, os.O_RDWR)
    try:
        fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return _owner(lock) if error.errno in HELD else None
    finally:
        os.close(lock)
    return None


def _lock(work_dir: Path) -> tuple[int | None, str | None, str | None]:
    """(open lock, its holder, why there are no locks); two are None."""
    if work_dir.resolve() in _held:
        return None, f'pid {os.getpid()}, this process', None
    if fcntl is None:
        return None, None, 'this system has no fcntl'
    lock = os.open(work_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    for attempt in range(ATTEMPTS):
        try:
            # A record lock: a lock by flock() would pass to the data
            # loader's workers, which outlive a killed training by seconds.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            held = error.errno in HELD
            if held and attempt + 1 < ATTEMPTS:
                time.sleep(PAUSE)
                continue
            owner = _owner(lock)
            os.close(lock)
            return (None, owner, None) if held else (None, None, str(error))
    os.ftruncate(lock, 0)
    os.pwrite(lock, f'pid {os.getpid()} on {socket.gethostname()}'.encode(), 0)
    return lock, None, None


def _owner(lock: int) -> str:
    text = os.pread(lock, 200, 0).decode(errors='replace')
    return text or 'its process is not known yet'


def collecting_in(work_dir: str, evaluator: Evaluator) -> Evaluator:
    """An evaluator whose metrics exchange files in the work directory.

    mmengine's default is the current folder, where the files would stay.
    """
    for metric in evaluator.metrics:
        if metric.collect_device == 'cpu' and metric.collect_dir is None:
            metric.collect_dir = str(Path(work_dir, 'collected'))
    return evaluator
