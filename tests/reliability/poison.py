"""Poisoned inputs, given to the tools as a user would give them.

    python tests/reliability/poison.py
    python tests/reliability/poison.py --only yaml --part 0/4

Every input carries a canary, which makes a file if it is executed. An input
is ``armed`` if the careless way to read it does execute it. Each step of a
route is a process of its own, with limits to its time and memory. An input
counts as the worst that one of its steps did:

executed    the canary is there
code        a converter wrote a config that is more than literals
leaked      the result holds a file from outside the input
memory      more than 1 GB, or as much on the disk
hung        ten seconds of computing, or a minute of waiting
traceback   no line that is meant for a user
refused     one line, by the first step
harmless    all steps that should run did
"""

import argparse
import itertools
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

# Before numpy, whose threads it forbids.
from children import READING, Child, Outcome, prepare

# isort: split
import corpus
import routes
import sound
from entries import CANARY, Entry
from literals import is_data
from report import Report
from routes import Door, Step

# Megabytes, seconds of computing, seconds.
MEMORY, BUSY, LIMIT = 1000, 10, 60
# Bytes of one file that a step may write.
DISK = 2**29
SECRET = 'a secret that is in no input'
WORST = (
    *('executed', 'code', 'leaked', 'memory', 'hung', 'traceback'),
    *('refused', 'harmless'),
)
COLUMNS = ('inputs', 'armed', *WORST)
GOOD = ('inputs', 'armed', 'refused', 'harmless')


class Cage:
    """Where one input is tried.

    Args:
        folder: Does not exist yet; the input lies in ``folder/in``.
        entry: The input.
    """

    def __init__(self, folder: Path, entry: Entry) -> None:
        self.folder = folder
        self.inside = folder / 'in'
        self.inside.mkdir(parents=True)
        self.entry = entry
        #: (step, what it did, its last lines)
        self.found: list[tuple[str, str, str]] = []

    def is_armed(self) -> bool:
        """Whether the careless way to read it executes the poison."""
        if self.entry.fuse is None:
            return False
        self._child(Step('fuse', self.entry.fuse))
        return self._sings()

    def _child(self, step: Step) -> Outcome:
        def work() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, DISK))
            step.work()

        log = self.folder / 'log'
        log.unlink(missing_ok=True)
        child = Child(work, log, self.inside)
        return child.finish(LIMIT, MEMORY, BUSY)

    def _sings(self) -> bool:
        """Whether the canary is there; it is taken away."""
        found = [*self.folder.rglob(f'{CANARY}*')]
        for path in found:
            if path.is_symlink() or path.is_file():
                path.unlink()
            else:
                shutil.rmtree(path, ignore_errors=True)
        return bool(found)

    def run(self, doors: Sequence[Door]) -> str:
        """Go through all doors; the worst that happened."""
        for door in doors:
            if self._step(door.first) != 'harmless':
                continue
            if door.out is not None:
                self._check_config(self.inside / door.out / 'config.py')
            for step in door.then:
                self._step(step, following=True)
        return min((what for _, what, _ in self.found), key=WORST.index)

    def _step(self, step: Step, following: bool = False) -> str:
        outcome = self._child(step)
        what = {'done': 'harmless', 'killed': 'traceback'}.get(
            outcome.end, outcome.end
        )
        if what == 'refused' and following:
            what = 'harmless'  # that the first step refused nothing counts
        if self._leaks():
            what = 'leaked'
        if self._sings():
            what = 'executed'
        self.found.append((step.name, what, outcome.log[-1500:]))
        return what

    def _leaks(self) -> bool:
        """Whether a result holds what was never in the input."""
        return any(
            SECRET in path.read_text(errors='replace')
            for path in self.inside.glob('out/**/*')
            if path.is_file() and path.stat().st_size < 10_000
        )

    def _check_config(self, path: Path) -> None:
        try:
            fine = is_data(path)
        except (SyntaxError, ValueError) as error:
            text = f'{error}\n{path.read_text()[:1500]}'
            self.found.append(('config', 'code', text))
            return
        if not fine:
            self.found.append(('config', 'code', path.read_text()[:1500]))


def try_all(entries: Iterator[Entry], folder: Path, report: Report) -> None:
    """Fill the report; what went wrong is printed."""
    (folder / 'secret').mkdir()
    (folder / 'secret' / 'file').write_text(SECRET)
    for number, entry in enumerate(entries):
        cage = Cage(folder / f'{number:04}', entry)
        entry.write(cage.inside)
        armed = cage.is_armed()
        worst = cage.run(entry.route())
        report.add(entry.kind, {'inputs': 1, 'armed': int(armed), worst: 1})
        if worst not in GOOD:
            print(f'{entry.kind}: {entry.name}: {worst}')
            for step, what, log in cage.found:
                if what == worst:
                    print(f'    {step}: {log}'.replace('\n', '\n        '))
            sys.stdout.flush()
        shutil.rmtree(cage.folder, ignore_errors=True)


def chosen(only: str, part: str) -> Iterator[Entry]:
    """The entries whose kind or name has ``only``; every n-th from k."""
    first, step = map(int, part.split('/'))
    found = (
        entry
        for entry in corpus.entries()
        if only in f'{entry.kind}: {entry.name}'
    )
    return itertools.islice(found, first, None, step)


def check_sound() -> None:
    """The routes must be open to what is sound."""
    for entry in corpus.sound_entries():
        with tempfile.TemporaryDirectory(prefix='sound_') as folder:
            cage = Cage(Path(folder) / 'cage', entry)
            entry.write(cage.inside)
            cage.run(entry.route())
            for step, what, log in cage.found:
                # A converted text model has no data to train or test with.
                needs_data = step in ('train', 'test') and 'data' in log
                if what != 'harmless' or ('error: ' in log and not needs_data):
                    sys.exit(f'sound {entry.name}, {step}: {what}\n{log}')


def main() -> None:
    """Poison."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--only', default='', help='part of kind or name')
    parser.add_argument(
        '--part', default='0/1', metavar='K/N', help='every N-th, from K'
    )
    args = parser.parse_args()
    prepare(*READING)
    # Stopped from outside, it prints what it has.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('stopped'))
    report, start = Report(COLUMNS, GOOD), time.monotonic()
    with tempfile.TemporaryDirectory(prefix='poison_') as name:
        folder = Path(name).resolve()
        routes.SOUND = folder / 'sound'
        log = folder / 'sound.log'
        made = Child(lambda: sound.write_all(routes.SOUND), log).finish(300)
        assert made.end == 'done', made.log
        check_sound()
        try:
            try_all(chosen(args.only, args.part), folder, report)
        finally:
            print(report)
            print(f'{time.monotonic() - start:.0f} s')
    sys.exit(not report.is_good)


if __name__ == '__main__':
    main()
