"""Trainings that are killed at random, and must end as if they were not.

    python tests/reliability/kills.py --runs 200

Trainings of both stages, with and without loader workers, in one process and
in two, are sent SIGKILL at a random moment and resumed, again and again, until
one goes on to the end. Its last checkpoint must then hold the bits of a
training that nobody disturbed: weights, averages, optimizers, schedules and
histories. Every second kill waits for a checkpoint that is being written. One
in twenty is of a command of the shell; the others are of forks, which start
faster. One in three leaves the loader workers alive.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from children import Child, Outcome, prepare
from equality import differences
from report import Report
from trainings import (
    NUM_ITERATIONS,
    TRAININGS,
    Training,
    start,
    write_config,
)

from mmldm.utils.checkpoint import newest_checkpoint, read_checkpoint
from mmldm.utils.whole_files import TEMPORARY_SUFFIX

# Seconds that a training may take; some take three.
LIMIT = 120
# Kills of one training, after which it may end.
MOST = 5
# Seconds of a write within which it is killed, and between two looks.
WRITE, LOOK = 0.015, 0.0005
START_OF_COMMAND = 8.0


class Kill(NamedTuple):
    """One SIGKILL.

    Attributes:
        writing: A checkpoint was being written: half of it lies there.
        whole: The newest checkpoint can be read.
    """

    writing: bool
    whole: bool


class Killer:
    """Kills one training until it ends.

    Args:
        training: What is trained.
        folder: Of all its files.
        rng: Of the moments.
    """

    def __init__(
        self, training: Training, folder: Path, rng: random.Random
    ) -> None:
        self.training = training
        self.rng = rng
        self.config = write_config(training, folder)
        self.folder = folder
        self.number = 0
        whole, self.seconds = self._undisturbed()
        self.whole = read_checkpoint(whole)

    def _undisturbed(self) -> tuple[Path, float]:
        work_dir = self.folder / 'whole'
        children = self._start(work_dir, False)
        for child in children:
            outcome = child.finish(LIMIT)
            assert outcome.end == 'done', outcome.log
        return work_dir / f'iter_{NUM_ITERATIONS}.pth', outcome.seconds

    def _start(self, work_dir: Path, real: bool) -> list[Child]:
        self.number += 1
        log = self.folder / f'{self.number}.log'
        return start(self.training, self.config, work_dir, log, real)

    def run(self, most: int) -> tuple[list[Kill], str, str]:
        """Kill a training at most so often, then let it end.

        Returns:
            The kills; how it ended: as of ``Outcome``, or 'different'; what
            to say of that.
        """
        work_dir = self.folder / f'killed_{self.number}'
        kills: list[Kill] = []
        left_over: list[Child] = []
        while True:
            real = self.rng.random() < 1 / 20
            children = self._start(work_dir, real)
            if len(kills) == most or not self._wait(children, work_dir, real):
                break
            group = self.rng.random() < 2 / 3
            kills.append(kill(children, work_dir, group))
            left_over += children
        outcomes = [child.finish(LIMIT) for child in children]
        for child in left_over:
            child.kill()
        return kills, *self._verdict(outcomes, work_dir)

    def _wait(self, children: list[Child], work_dir: Path, real: bool) -> bool:
        """Until the moment of a kill; False where the training ended."""
        end = time.monotonic() + LIMIT
        if self.rng.random() < 1 / 2:
            self._wait_for_write(children, work_dir, self.rng.randrange(4))
            end = time.monotonic() + self.rng.uniform(0, WRITE)
        else:
            longest = self.seconds + START_OF_COMMAND * real
            end = time.monotonic() + self.rng.uniform(0, longest)
        while time.monotonic() < end and children[0].poll() is None:
            time.sleep(min(0.002, max(0, end - time.monotonic())))
        return all(child.poll() is None for child in children)

    def _wait_for_write(
        self, children: list[Child], work_dir: Path, skip: int
    ) -> None:
        """Until a checkpoint is being written, after some others."""
        seen: set[str] = set()
        deadline = time.monotonic() + LIMIT
        while children[0].poll() is None and time.monotonic() < deadline:
            seen |= set(half_written(work_dir))
            if len(seen) > skip:
                return
            time.sleep(LOOK)

    def _verdict(
        self, outcomes: list[Outcome], work_dir: Path
    ) -> tuple[str, str]:
        for outcome in outcomes:
            if outcome.end != 'done':
                return outcome.end, outcome.log[-2000:]
        end = read_checkpoint(work_dir / f'iter_{NUM_ITERATIONS}.pth')
        differing = differences(self.whole, end)
        if differing:
            few = ', '.join(differing[:5])
            return 'different', f'{len(differing)} values differ: {few}'
        return 'survived', ''


def half_written(work_dir: Path) -> list[str]:
    """Names of checkpoints that are being written."""
    return [p.name for p in work_dir.glob(f'*.pth.*{TEMPORARY_SUFFIX}')]


def kill(children: list[Child], work_dir: Path, group: bool) -> Kill:
    """Kill all processes, with or without their loader workers."""
    before = set(half_written(work_dir))
    for child in children:
        child.kill(group)
    # Of this kill only, not of one before: names have the process.
    writing = any(name in before for name in half_written(work_dir))
    if newest_checkpoint(work_dir) is None:
        return Kill(writing, True)
    try:
        read_checkpoint(work_dir)
    except ValueError:
        return Kill(writing, False)
    return Kill(writing, True)


def run(runs: int, seed: int, folder: Path) -> Iterator[tuple[str, Counter]]:
    """Figures of each training, as it ends.

    Raises nothing; what went wrong is printed.
    """
    rng = random.Random(seed)
    killers: dict[Training, Killer] = {}
    done = 0
    trainings = TRAININGS * runs
    for training in trainings:
        if done >= runs:
            return
        if training not in killers:
            name = f'training_{len(killers)}'
            killers[training] = Killer(training, folder / name, rng)
        most = min(MOST, runs - done, max(1, runs // len(TRAININGS)))
        kills, end, text = killers[training].run(most)
        done += len(kills)
        if text:
            print(f'{training}: {end}\n{text}', flush=True)
        yield (
            str(training),
            Counter(
                {
                    'kills': len(kills),
                    'in a write': sum(k.writing for k in kills),
                    'broken files': sum(not k.whole for k in kills),
                    end: len(kills),
                }
            ),
        )


COLUMNS = (
    *('kills', 'in a write', 'survived', 'broken files', 'different'),
    *('hung', 'traceback', 'refused', 'killed'),
)


def main() -> None:
    """Kill."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--runs', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    prepare()
    report = Report(COLUMNS, good=('kills', 'in a write', 'survived'))
    with tempfile.TemporaryDirectory(prefix='kills_') as folder:
        for name, counts in run(args.runs, args.seed, Path(folder)):
            report.add(name, counts)
    print(report)
    total = report.total
    # A handful may all have missed one.
    if total['kills'] >= 20 and total['in a write'] * 5 < total['kills']:
        sys.exit('fewer than one kill in five hit a write')
    sys.exit(not report.is_good or total['survived'] < args.runs)


if __name__ == '__main__':
    main()
