"""A training, its trouble, and its end."""

import shutil
from collections.abc import Callable
from pathlib import Path

from children import Child, Outcome, tool
from equality import differences
from trainings import NUM_ITERATIONS, Training, write_config

from mmldm.utils.checkpoint import read_checkpoint

LIMIT = 120
TRAINING = Training('first', 0, 1)
LAST = f'iter_{NUM_ITERATIONS}.pth'
BEFORE = f'iter_{NUM_ITERATIONS - 1}.pth'
# What went wrong, besides.
ENDS = ('traceback', 'hung', 'refused')


class Failed(Exception):
    """A scenario went wrong; the first argument is its column."""


class Bench:
    """Trainings of one config.

    Args:
        folder: Of all files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = write_config(TRAINING, folder)
        self.number = 0
        done = self.train(folder / 'whole')
        assert done.end == 'done', done.log
        self.whole = read_checkpoint(folder / 'whole' / LAST)
        self.size = (folder / 'whole' / LAST).stat().st_size

    def start(self, work_dir: Path, before: Callable = bool) -> Child:
        """Begin or resume a training.

        Args:
            work_dir: Of the training.
            before: Called in the child first.
        """
        self.number += 1
        log = self.folder / f'{self.number}.log'
        arguments = (self.config, '--work-dir', work_dir, '--resume')

        def work() -> None:
            before()
            tool('train', *arguments)()

        return Child(work, log, self.folder)

    def train(self, *arguments) -> Outcome:
        """As :meth:`start`, to the end."""
        return self.start(*arguments).finish(LIMIT)

    def copy(self, name: str) -> Path:
        """A work directory with the two last checkpoints."""
        target = self.folder / name
        shutil.copytree(self.folder / 'whole', target)
        return target

    def check_end(self, work_dir: Path) -> None:
        """Resume; the end must be that of the undisturbed training."""
        outcome = self.train(work_dir)
        if outcome.end != 'done':
            raise Failed(column_of(outcome.end), outcome.log[-800:])
        found = differences(self.whole, read_checkpoint(work_dir / LAST))
        if found:
            raise Failed('different', ', '.join(found[:5]))


def column_of(end: str) -> str:
    """Of a run that should have gone on."""
    return end if end in ENDS else 'traceback'  # or it was killed
