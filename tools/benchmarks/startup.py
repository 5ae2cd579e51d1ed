"""Measure startup times of commands, in units of importing torch.

    python tools/benchmarks/startup.py
    python tools/benchmarks/startup.py --repeats 20

Every command runs in its own process: --help of each tool, some imports, and
the empty program for comparison. They alternate with `import torch`, so that a
busy machine slows both equally; the result is the median ratio of a command to
the `import torch` just before it. The first round warms up the disk and is
left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

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
    args = parser.parse_args()
    check_count('--repeats', args.repeats)
    return args


def commands() -> dict[str, tuple[str, ...]]:
    """Arguments of Python, by name in the table."""
    found = {statement: ('-c', statement) for statement in IMPORTS}
    found['mmldm --help'] = ('-m', 'mmldm', '--help')
    for script in sorted(TOOLS.rglob('*.py')):
        if "__name__ == '__main__'" in script.read_text():
            name = f'{script.relative_to(TOOLS).as_posix()} --help'
            found[name] = (str(script), '--help')
    return found


def seconds(arguments: Sequence[str]) -> float:
    """Duration of one process, seconds.

    Raises:
        ValueError: If it fails; has the last line of its output.
    """
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition('\n')[2]
        raise ValueError(f'python {" ".join(arguments)} failed: {last}')
    return time.perf_counter() - start


def measure(repeats: int) -> dict[str, list[tuple[float, float]]]:
    """(seconds of `import torch`, seconds of the command), by command."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for turn in track(range(1 + repeats), description='rounds'):
        for name, arguments in commands().items():
            pair = seconds(TORCH), seconds(arguments)
            if turn:
                pairs.setdefault(name, []).append(pair)
    return pairs


def table(pairs: dict[str, list[tuple[float, float]]]) -> str:
    """A Markdown table of median seconds and ratios, the largest last."""
    rows = []
    for name, measured in pairs.items():
        ratio = statistics.median(own / torch for torch, own in measured)
        own = statistics.median(own for _, own in measured)
        rows.append((ratio, f'| `{name}` | {own:.2f} | {ratio:.2f} |'))
    lines = ['| command | seconds | of `import torch` |', '|---|---|---|']
    return '\n'.join([*lines, *(row for _, row in sorted(rows))])


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    pairs = measure(args.repeats)
    torch = [first for measured in pairs.values() for first, _ in measured]
    print(
        f'{platform.machine()}, {os.cpu_count()} CPUs, Python '
        f'{platform.python_version()}, torch {version("torch")}, '
        f'{date.today()}; import torch: {statistics.median(torch):.2f} s'
    )
    print(table(pairs))


if __name__ == '__main__':
    run_tool(main)
