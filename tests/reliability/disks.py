"""Trainings on disks that are full, read-only, shared, damaged or mistimed.

    python tests/reliability/disks.py
    python tests/reliability/disks.py --only 'two trainings'

Every scenario ends in a training that is resumed where the trouble is over;
its last checkpoint must hold the bits of a training without any. A scenario
counts as ``survived``, or as what went wrong:

traceback   no line that is meant for a user
hung        two minutes
accepted    what should be refused was not
refused     what should go on did not
unsaid      the line does not say what it should
different   the end has other bits
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import BEFORE, LAST, LIMIT, Bench, Failed, column_of
from children import Child, Outcome, prepare
from report import Report

from mmldm.utils.checkpoint import newest_checkpoint, read_checkpoint

COLUMNS = (
    *('tries', 'survived', 'traceback', 'hung', 'accepted', 'refused'),
    *('unsaid', 'different'),
)
GOOD = ('tries', 'survived')


def refused(outcome: Outcome, *words: str) -> None:
    """Raise unless it ended in one line that has these words."""
    if outcome.end == 'done':
        raise Failed('accepted', outcome.log[-800:])
    if outcome.end != 'refused':
        raise Failed(column_of(outcome.end), outcome.log[-800:])
    said = outcome.log.rstrip().rpartition('error: ')[2]
    missing = [word for word in words if word not in said]
    if missing:
        raise Failed('unsaid', f'{missing} not in: {said}')


def said(outcome: Outcome, *words: str) -> None:
    """Raise unless it ran to its end and said all these words."""
    if outcome.end != 'done':
        raise Failed(column_of(outcome.end), outcome.log[-800:])
    missing = [word for word in words if word not in outcome.log]
    if missing:
        raise Failed('unsaid', f'{missing} not in the log')


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of so many bytes; for root."""
    folder.mkdir()
    mount(folder, f'size={size}')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '-l', folder], check=True)


def mount(folder: Path, options: str) -> None:
    """A tmpfs, or other options of the one that is there."""
    subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder], check=True
    )


def full_disk(bench: Bench, part: float) -> None:
    """So many checkpoints fit; more room, and it goes on."""
    size = int(bench.size * part)
    with small_disk(bench.folder / f'disk_{part}', size) as disk:
        work_dir = disk / 'work'
        refused(bench.train(work_dir))
        if part > 2:
            read_checkpoint(work_dir)  # the newest is whole
        mount(disk, f'remount,size={bench.size * 5}')
        bench.check_end(work_dir)


def file_limit(bench: Bench, part: float) -> None:
    """No file may be larger than a part of a checkpoint."""
    size = int(bench.size * part)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
    work_dir = bench.folder / f'limited_{part}'
    refused(bench.train(work_dir, limit), 'could not be written')
    bench.check_end(work_dir)


def read_only(bench: Bench) -> None:
    """The disk became read-only; later it is not."""
    with small_disk(bench.folder / 'read_only', bench.size * 5) as disk:
        shutil.copytree(bench.folder / 'whole', disk / 'work')
        (disk / 'work' / LAST).unlink()
        mount(disk, 'remount,ro')
        refused(bench.train(disk / 'work'), str(disk))
        refused(bench.train(disk / 'new'), str(disk))
        mount(disk, 'remount,rw')
        bench.check_end(disk / 'work')


def no_folder(bench: Bench) -> None:
    """A file stands where the work directory should be."""
    path = bench.folder / 'a_file'
    path.write_text('x')
    refused(bench.train(path), str(path))
    refused(bench.train(path / 'below'), str(path))


def two_trainings(bench: Bench) -> None:
    """The second is refused, naming process and machine of the first."""
    work_dir = bench.folder / 'two'
    first = bench.start(work_dir)
    _wait_for_checkpoint(first, work_dir)
    first.signal(signal.SIGSTOP)  # it must not end meanwhile
    try:
        second = bench.train(work_dir)
    finally:
        first.signal(signal.SIGCONT)
    done = first.finish(LIMIT)
    refused(second, str(first.pid), os.uname().nodename)
    said(done)
    bench.check_end(work_dir)


def after_a_kill(bench: Bench) -> None:
    """A training that was killed refuses no other."""
    work_dir = bench.folder / 'after'
    first = bench.start(work_dir)
    _wait_for_checkpoint(first, work_dir)
    first.kill()
    bench.check_end(work_dir)


def _wait_for_checkpoint(child: Child, work_dir: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while newest_checkpoint(work_dir) is None:
        assert child.poll() is None, child.log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def damaged(bench: Bench, name: str, change: Callable) -> None:
    """The one before the damaged checkpoint is taken, and that is said."""
    work_dir = bench.copy(f'damaged_{name}')
    path = work_dir / LAST
    path.write_bytes(change(path.read_bytes()))
    said(bench.train(work_dir), BEFORE, LAST)
    bench.check_end(work_dir)


def clock_back(bench: Bench) -> None:
    """The older of two checkpoints has the later time."""
    work_dir = bench.copy('clock')
    now = time.time()
    os.utime(work_dir / BEFORE, (now + 86400,) * 2)
    os.utime(work_dir / LAST, (now, now))
    said(bench.train(work_dir), LAST)
    bench.check_end(work_dir)


def clock_in_the_future(bench: Bench) -> None:
    """What is there was written tomorrow; what is new counts all the same."""
    work_dir = bench.copy('future')
    (work_dir / LAST).unlink()
    later = time.time() + 86400
    os.utime(work_dir / BEFORE, (later, later))
    said(bench.train(work_dir), BEFORE)
    said(bench.train(work_dir), LAST)
    bench.check_end(work_dir)


PARTS = (0.3, 1.4, 2.2, 2.7)
CHANGES = {
    'cut': lambda content: content[: len(content) // 2],
    'cut at the end': lambda content: content[:-100],
    'empty': lambda content: b'',
    'zeros': lambda content: bytes(len(content)),
}


def scenarios() -> Iterator[tuple[str, Callable]]:
    """(row, what is tried)."""
    if os.geteuid() == 0:
        for part in PARTS:
            yield 'full disk', partial(full_disk, part=part)
        yield 'read-only disk', read_only
    for part in (0.01, 0.5, 0.9):
        yield 'limited files', partial(file_limit, part=part)
    yield 'no folder', no_folder
    yield 'two trainings', two_trainings
    yield 'after a kill', after_a_kill
    for name, change in CHANGES.items():
        row = 'damaged newest checkpoint'
        yield row, partial(damaged, name=name, change=change)
    yield 'clock set back', clock_back
    yield 'clock set back', clock_in_the_future


def attempt(bench: Bench, row: str, scenario: Callable) -> str:
    """The column it counts in; what went wrong is printed."""
    try:
        scenario(bench)
    except Failed as error:
        column, text = error.args
        print(f'{row}: {column}\n    {text}'.replace('\n', '\n    '))
        return column
    return 'survived'


def main() -> None:
    """Fill disks."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--only', default='', help='part of a row')
    args = parser.parse_args()
    prepare()
    report = Report(COLUMNS, GOOD)
    with tempfile.TemporaryDirectory(prefix='disks_') as folder:
        bench = Bench(Path(folder))
        for row, scenario in scenarios():
            if args.only in row:
                report.add(row, {'tries': 1, attempt(bench, row, scenario): 1})
    print(report)
    sys.exit(not report.is_good)


if __name__ == '__main__':
    main()
