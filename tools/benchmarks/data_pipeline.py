"""Images a second that one worker reads, decodes and crops.

    python tools/benchmarks/data_pipeline.py
    python tools/benchmarks/data_pipeline.py --before /path/to/a/checkout

JPEGs of 500x375 pixels become random crops of 256x256, by the data set of a
folder of images. With --before, a process with the code of another checkout
of this repository takes turns with one of this code. Times are those of the
processor, which other programs change little.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from interleaved import checked, in_turn, parser_of, report, spread

from mmldm.apis import run_tool

ROOT = Path(__file__).resolve().parents[2]
CHILD = 'MMLDM_BENCHMARK_IMAGES'
SIZE = 'MMLDM_BENCHMARK_SIZE'
SECONDS = 'seconds: '


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=15, device=False)
    flags = {
        'images': (64, 'number of files'),
        'height': (375, 'height of the files, pixels'),
        'width': (500, 'width of the files, pixels'),
        'size': (256, 'side of the crops, pixels'),
    }
    for name, (default, what) in flags.items():
        text = f'{what} (default: {default})'
        parser.add_argument(f'--{name}', type=int, default=default, help=text)
    parser.add_argument('--before', help='folder of another checkout')
    args = checked(parser)
    if args.before and not (Path(args.before) / 'mmldm').is_dir():
        raise ValueError(
            f'--before={args.before} has no folder mmldm: give a checkout'
        )
    return args


def work(folder: str, size: int) -> None:
    """Read all images whenever a line is asked for; print the seconds."""
    import inspect

    import cv2
    import torch

    from mmldm.datasets import ImageFolder
    from mmldm.datasets.transforms import LoadImage

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    known = inspect.signature(LoadImage).parameters
    reduced = dict(oversampling=2) if 'oversampling' in known else {}
    pipeline = [
        dict(type='LoadImage', **reduced),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=True),
        dict(type='RandomFlip'),
        dict(type='PackInputs'),
    ]
    data = ImageFolder(folder, pipeline, size=size)
    count = len(data)
    for _ in sys.stdin:
        start = time.process_time()
        for i in range(count):
            data[i]
        print(f'{SECONDS}{time.process_time() - start}', flush=True)


def worker(checkout: Path, folder: str, size: int) -> subprocess.Popen:
    """A process that works with the code of a checkout."""
    paths = [str(checkout), str(Path(__file__).parent)]
    environment = os.environ | {
        'PYTHONPATH': os.pathsep.join(paths),
        CHILD: folder,
        SIZE: str(size),
    }
    return subprocess.Popen(
        [sys.executable, __file__],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def turn(process: subprocess.Popen) -> float:
    """Seconds in which a worker reads all images."""
    process.stdin.write('\n')
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith(SECONDS):  # imports may print something
            return float(line.removeprefix(SECONDS))
    raise RuntimeError('a worker has ended early')


def main() -> None:
    """Measure and print the results."""
    if CHILD in os.environ:
        work(os.environ[CHILD], int(os.environ[SIZE]))
        return
    args = parse_args()
    from photographs import write_photographs

    checkouts = {'now': ROOT}
    if args.before:
        checkouts = {'before': Path(args.before).resolve(), **checkouts}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder, args.images, args.height, args.width)
        running = {
            key: worker(path, name, args.size)
            for key, path in checkouts.items()
        }
        runs = {key: partial(turn, one) for key, one in running.items()}
        found = in_turn(runs, args.repeats, time.process_time, warmups=1)
        for process in running.values():
            process.stdin.close()
            process.wait()
    # The fastest turn is the one that other programs disturbed least.
    rates = {k: round(args.images / min(v), 1) for k, v in found.items()}
    compared = {}
    if args.before:
        pairs = spread(found, 'before', 'now')
        best = round(rates['now'] / rates['before'], 3)
        compared = dict(times_as_fast=pairs, times_as_fast_best=best)
    report(
        args,
        images_a_second=rates,
        **compared,
    )


if __name__ == '__main__':
    run_tool(main)
