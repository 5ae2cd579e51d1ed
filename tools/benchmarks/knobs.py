"""Measure what the knobs of training and sampling are worth.

    python tools/benchmarks/knobs.py OUT --task digits
    python tools/benchmarks/knobs.py OUT --task digits --knobs base eps

Trains a base config, and the same config with one knob changed, by several
seeds from one first stage and its cached latents. Knobs that only change the
sampling use the weights of the base. The images of each are judged, and a
table shows mean, spread over the seeds, and the difference from the base in
units of the spread.

Each run has a file of results in OUT. A call that was interrupted, or asks for
more knobs or seeds, goes on with what is missing. With --page FILE, the table
goes between the markers <!-- knobs TASK: begin --> and <!-- knobs TASK: end
--> of a page.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from datetime import date
from pathlib import Path
from typing import Any

from knob_list import BASE, TASKS, Task
from knob_table import Table, Values, write_into

from mmldm.apis import run_tool
from mmldm.utils import check_choice, check_count
from mmldm.utils.files import check_folder_to_write

# Lengths of a run, which all results of a table share.
LENGTHS = ('iterations', 'num', 'steps')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('out', type=Path, help='folder of all files')
    parser.add_argument(
        '--task', choices=TASKS, default='digits', help='(default: digits)'
    )
    parser.add_argument(
        '--knobs', nargs='+', metavar='NAME', help='(default: all)'
    )
    parser.add_argument(
        '--seeds', type=int, default=3, help='number of seeds (default: 3)'
    )
    parser.add_argument('--iterations', type=int, help='of each training')
    parser.add_argument(
        '--num', type=int, default=500, help='images to judge (default: 500)'
    )
    parser.add_argument('--steps', type=int, help='of the sampling')
    parser.add_argument(
        '--first-stage',
        metavar='FILE',
        help='checkpoint or work directory of the first stage (default: '
        'digits train one, photographs take the one that the config names)',
    )
    parser.add_argument(
        '--page', type=Path, metavar='FILE', help='page to write the table to'
    )
    return checked(parser.parse_args())


def checked(args: argparse.Namespace) -> argparse.Namespace:
    """The command line, completed by the lengths of the task."""
    task = TASKS[args.task]
    for name in args.knobs or ():
        check_choice('--knobs', name, tuple(task.knobs))
    for name in ('iterations', 'steps'):
        if getattr(args, name) is None:
            setattr(args, name, getattr(task, name))
    for name in ('seeds', *LENGTHS):
        check_count(f'--{name}', getattr(args, name))
    if args.seeds < 2:
        raise ValueError(f'--seeds {args.seeds} has no spread: give 2 or more')
    check_folder_to_write('out', str(args.out))
    return args


def result_file(args: argparse.Namespace, name: str, seed: int) -> Path:
    """The file of a run's results."""
    return args.out / args.task / f'{name}_{seed}.json'


def stored(path: Path, args: argparse.Namespace) -> dict[str, Any] | None:
    """The results of a run; None if it is not finished.

    Raises:
        ValueError: If they are of other lengths.
    """
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    for name in LENGTHS:
        if result[name] != getattr(args, name):
            raise ValueError(
                f'{path} has {name}={result[name]}, and --{name} is '
                f'{getattr(args, name)}: give the same, or another OUT'
            )
    return result


def run_all(args: argparse.Namespace, task: Task) -> None:
    """Make the runs that are missing."""
    names = args.knobs or [*task.knobs]
    runs = [
        (name, seed)
        for seed in range(args.seeds)
        for name in names
        if stored(result_file(args, name, seed), args) is None
    ]
    print(f'{len(names) * args.seeds} runs, {len(runs)} of them to make')
    if not runs:
        return
    from knob_runs import Bench

    lengths = {name: getattr(args, name) for name in LENGTHS}
    out = (args.out / args.task).resolve()
    bench = Bench(task, out, first_stage=args.first_stage, **lengths)
    kinds = [task.knobs[name].trains for name, _ in runs]
    spent: dict[bool, list[float]] = {True: [], False: []}
    for number, (name, seed) in enumerate(runs):
        bench.prepare(task.knobs[name])
        start = time.monotonic()
        result = bench.run(name, seed)
        spent[kinds[number]].append(time.monotonic() - start)
        write(result_file(args, name, seed), result | lengths)
        left = time_left(spent, kinds[number + 1 :])
        values = ', '.join(
            f'{title} {result["metrics"][key]:.4g}'
            for key, title in task.metrics.items()
        )
        print(
            f'{number + 1}/{len(runs)} {name}, seed {seed}: {values}; '
            f'{left / 60:.0f} min left',
            flush=True,
        )


def time_left(spent: dict[bool, list[float]], kinds: list[bool]) -> float:
    """Seconds of the runs that are left, by the mean of each kind.

    Args:
        spent: Seconds of finished runs: with a training, and without.
        kinds: Whether the runs that are left have a training.
    """
    everything = [*spent[True], *spent[False]]
    known = (spent[kind] or everything for kind in kinds)
    return sum(sum(seconds) / len(seconds) for seconds in known)


def write(path: Path, result: dict[str, Any]) -> None:
    """Write the results of a run."""
    import torch

    from mmldm.utils.whole_files import written_whole

    machine = dict(
        date=str(date.today()),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        processor=platform.processor() or platform.machine(),
        load=round(os.getloadavg()[0], 1),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(json.dumps({**result, **machine}, indent=1).encode())


def results_of(args: argparse.Namespace, task: Task) -> dict[str, Values]:
    """The values of all seeds by knob and metric, of finished knobs."""
    found = {}
    for name in task.knobs:
        runs = [
            stored(result_file(args, name, seed), args)
            for seed in range(args.seeds)
        ]
        if all(runs):
            found[name] = {
                key: [run['metrics'][key] for run in runs]
                for key in task.metrics
            }
    return found


def report(args: argparse.Namespace, task: Task) -> str:
    """The table, and a line that says how it was made.

    Raises:
        ValueError: If the base is not among the results.
    """
    results = results_of(args, task)
    if BASE not in results:
        raise ValueError(
            f'{args.out} has no results of {BASE!r} for {args.seeds} seeds, '
            f'with which others are compared: add {BASE} to --knobs'
        )
    titles = {name: knob.title for name, knob in task.knobs.items()}
    table = Table(titles, task.metrics, results, BASE)
    run = json.loads(result_file(args, BASE, 0).read_text())
    return (
        f'{table}\n\n{table.verdict()}\n\n{args.seeds} seeds, '
        f'{args.iterations} iterations, {args.num} images with {args.steps} '
        f'steps; {run["date"]}, torch {run["torch"]}, a CPU with '
        f'{run["threads"]} thread(s).'
    )


def main() -> None:
    """Make the runs, and the table."""
    args = parse_args()
    task = TASKS[args.task]
    run_all(args, task)
    text = report(args, task)
    print(text)
    if args.page is not None:
        write_into(args.page, f'knobs {args.task}', text)


if __name__ == '__main__':
    run_tool(main)
