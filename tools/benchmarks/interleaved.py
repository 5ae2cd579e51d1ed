"""Times contestants in turn, and reports ratios and JSON.

The benchmarks of this folder import it. On a CPU the clock is the CPU time of
the process, which counts other programs less than the clock on the wall does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmldm.utils import check_count

Seconds = dict[str, list[float]]


def parser_of(
    doc: str, repeats: int = 5, device: bool = True
) -> argparse.ArgumentParser:
    """A parser with the flags that all benchmarks have.

    Args:
        doc: Docstring of the benchmark.
        repeats: Default of ``--repeats``.
        device: Whether the benchmark runs on a GPU too.
    """
    parser = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--repeats',
        type=int,
        default=repeats,
        help=f'runs of each contestant (default: {repeats})',
    )
    parser.add_argument(
        '--json', metavar='FILE', help='also write the results to this file'
    )
    if device:
        parser.add_argument(
            '--device', default='cpu', help='cpu or cuda (default: cpu)'
        )
        parser.add_argument(
            '--wall',
            action='store_true',
            help='time by the clock on the wall on a CPU too',
        )
    return parser


def checked(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line; all whole numbers are counts, from 1."""
    args = parser.parse_args()
    for name, value in vars(args).items():
        if isinstance(value, int) and not isinstance(value, bool):
            check_count(f'--{name.replace("_", "-")}', value)
    if hasattr(args, 'device'):
        from mmldm.utils.devices import available_device

        available_device(args.device)
    return args


def clock_of(args: argparse.Namespace) -> Callable[[], float]:
    """Seconds, after a GPU has done all its work."""
    if not args.device.startswith('cuda'):
        return time.perf_counter if args.wall else time.process_time
    import torch

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return clock


def in_turn(
    contestants: Mapping[str, Callable[[], Any]],
    repeats: int,
    clock: Callable[[], float],
    warmups: int = 2,
) -> Seconds:
    """Seconds of all runs; each round has the opposite order of the last.

    Args:
        contestants: Runs by name; one may return its own seconds.
        repeats: Number of rounds.
        clock: Seconds.
        warmups: Rounds before that are not counted.
    """
    seconds: Seconds = {name: [] for name in contestants}
    names = [*contestants]
    for turn in range(warmups + repeats):
        for name in names if turn % 2 else reversed(names):
            start = clock()
            own = contestants[name]()
            spent = own if isinstance(own, float) else clock() - start
            if turn >= warmups:
                seconds[name].append(spent)
    return seconds


def ratio(seconds: Seconds, above: str, below: str) -> float:
    """Median over the rounds of one contestant's time over another's."""
    return spread(seconds, above, below)['median']


def spread(seconds: Seconds, above: str, below: str) -> dict[str, float]:
    """As :func:`ratio`: the median, and the ends of its range."""
    rounds = zip(seconds[above], seconds[below], strict=True)
    ratios = [a / b for a, b in rounds]
    return dict(
        median=statistics.median(ratios),
        least=min(ratios),
        largest=max(ratios),
    )


def table(seconds: Seconds, unit: str) -> str:
    """A Markdown table: median milliseconds, and ratios to the first."""
    first = next(iter(seconds))
    lines = [f'| {unit} | ms | of {first} |', '|---|--:|--:|']
    for name, values in seconds.items():
        middle = 1000 * statistics.median(values)
        lines.append(
            f'| {name} | {middle:.4g} | {ratio(seconds, name, first):.3f} |'
        )
    return '\n'.join(lines)


def report(args: argparse.Namespace, **results: Any) -> None:
    """Print results as JSON with machine and versions; write ``--json``.

    Args:
        args: The command line.
        results: Numbers, lists and dicts by name.
    """
    text = json.dumps({**results, **machine(args)}, indent=1)
    print(text)
    if args.json:
        Path(args.json).write_text(f'{text}\n')


def machine(args: argparse.Namespace) -> dict[str, Any]:
    """What a number depends on."""
    import torch

    device = platform.processor() or platform.machine()
    if getattr(args, 'device', 'cpu').startswith('cuda'):
        device = torch.cuda.get_device_name()
    flags = {k: v for k, v in vars(args).items() if k != 'json'}
    return dict(
        device=device,
        threads=torch.get_num_threads(),
        load=round(os.getloadavg()[0], 1),
        torch=version('torch'),
        date=str(date.today()),
        flags={k: str(v) for k, v in flags.items()},
    )


def peak_of(device: str, seconds: float = 1.0) -> float:
    """Operations a second of a bfloat16 matrix product on a device."""
    import torch

    size = 8192 if device.startswith('cuda') else 1024
    a, b = (
        torch.randn(size, size, device=device, dtype=torch.bfloat16)
        for _ in range(2)
    )
    clock = clock_of(argparse.Namespace(device=device, wall=False))
    a @ b
    start, count = clock(), 0
    while (spent := clock() - start) < seconds:
        a @ b
        count += 1
    return 2 * size**3 * count / spent


def share_of_peak(
    operations: float, seconds: float, device: str
) -> dict[str, float]:
    """Speed in TFLOP/s, and its share of a matrix product's on the device."""
    rate, peak = operations / seconds, peak_of(device)
    return dict(
        tflops=round(rate / 1e12, 3),
        peak_tflops=round(peak / 1e12, 3),
        share_of_peak=round(rate / peak, 3),
    )
