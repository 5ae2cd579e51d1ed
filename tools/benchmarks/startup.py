"""Measure startup times of commands, in units of importing torch.

    python tools/benchmarks/startup.py
    python tools/benchmarks/startup.py --repeats 20

Every command runs in its own process: --help of each tool, some imports, a
training of the digits' first stage that ends after one iteration, and the
empty program for comparison. They alternate with `import torch`, so that a
busy machine slows both equally; the result is the median ratio of a command to
the `import torch` just before it, in CPU time. The first round warms up the
disk and is left out. --only selects commands by a part of their name.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from digits import FIRST, TRAINING_ALONE, flags_of
from rich.progress import track

from mmldm.apis import run_tool
from mmldm.utils import check_count

TOOLS = Path(__file__).resolve().parents[1]
TORCH = ('-c', 'import torch')
IMPORTS = (
    'pass',
    'import mmldm',
    'import mmldm.apis',
    'from mmldm.apis import init_model',
)

ONE_ITERATION = flags_of(
    {
        **TRAINING_ALONE,
        'train_cfg.max_iters': 1,
        'default_hooks.checkpoint.save_last': False,
    }
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--repeats',
        type=int,
        default=7,
        help='pairs of runs of each command (default: 7)',
    )
    parser.add_argument('--only', metavar='TEXT', default='')
    args = parser.parse_args()
    check_count('--repeats', args.repeats)
    return args


class Seconds(NamedTuple):
    """Duration of a process on the wall's clock, and its CPU time."""

    wall: float
    cpu: float


Pair = tuple[Seconds, Seconds]


def commands(folder: str) -> dict[str, tuple[str, ...]]:
    """Arguments of Python, by name in the table."""
    found = {statement: ('-c', statement) for statement in IMPORTS}
    found['mmldm --help'] = ('-m', 'mmldm', '--help')
    for script in sorted(TOOLS.rglob('*.py')):
        if "__name__ == '__main__'" in script.read_text():
            name = f'{script.relative_to(TOOLS).as_posix()} --help'
            found[name] = (str(script), '--help')
    found['train.py, one iteration'] = (
        str(TOOLS / 'train.py'),
        FIRST,
        *('--work-dir', f'{folder}/work', '--cfg-options', *ONE_ITERATION),
    )
    return found


def seconds(arguments: Sequence[str]) -> Seconds:
    """Duration of one process.

    Raises:
        ValueError: If it fails; has the last line of its output.
    """
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)}
    start, before = time.perf_counter(), cpu_time_of_children()
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition('\n')[2]
        raise ValueError(f'python {" ".join(arguments)} failed: {last}')
    spent = cpu_time_of_children() - before
    return Seconds(time.perf_counter() - start, spent)


def cpu_time_of_children() -> float:
    """CPU seconds of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(repeats: int, only: str) -> dict[str, list[Pair]]:
    """(time of `import torch`, time of the command), by command."""
    pairs: dict[str, list[Pair]] = {}
    with TemporaryDirectory() as folder:
        chosen = {k: v for k, v in commands(folder).items() if only in k}
        for turn in track(range(1 + repeats), description='rounds'):
            for name, arguments in chosen.items():
                pair = seconds(TORCH), seconds(arguments)
                if turn:
                    pairs.setdefault(name, []).append(pair)
    return pairs


def table(pairs: dict[str, list[Pair]]) -> str:
    """A Markdown table of median seconds and ratios, the largest last."""
    rows = []
    for name, measured in pairs.items():
        ratio = statistics.median(b.cpu / a.cpu for a, b in measured)
        wall, cpu = (
            statistics.median(getattr(own, clock) for _, own in measured)
            for clock in Seconds._fields
        )
        line = f'| `{name}` | {wall:.2f} | {cpu:.2f} | {ratio:.2f} |'
        rows.append((ratio, line))
    lines = [
        '| command | seconds | CPU seconds | of `import torch` |',
        '|---|---|---|---|',
    ]
    return '\n'.join([*lines, *(row for _, row in sorted(rows))])


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    pairs = measure(args.repeats, args.only)
    torch = [a.cpu for measured in pairs.values() for a, _ in measured]
    print(
        f'{platform.machine()}, {os.cpu_count()} CPUs with a load of '
        f'{os.getloadavg()[0]:.0f}, Python {platform.python_version()}, '
        f'torch {version("torch")}, {date.today()}; import torch: '
        f'{statistics.median(torch):.2f} CPU s'
    )
    print(table(pairs))


if __name__ == '__main__':
    run_tool(main)
