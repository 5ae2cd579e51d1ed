"""Time and memory of the start with many images in shards.

    python tools/benchmarks/data_start.py
    python tools/benchmarks/data_start.py --images 10000000

A data set of tar files whose index is present, as at every start but the
first: it is built, its order is drawn, and the first image is read, in a
process that has imported everything. All entries of the index are the one
image of their shard, so that the shards are small.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from interleaved import checked, parser_of, report

from mmldm.apis import run_tool

if TYPE_CHECKING:
    from mmldm.datasets import ImageShards

SHARDS = 100
CHILD = 'MMLDM_BENCHMARK_SHARDS'


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=3, device=False)
    parser.add_argument(
        '--images', type=int, default=10**6, help='number (default: 1000000)'
    )
    return checked(parser)


def data_set(folder: str) -> ImageShards:
    """The data set, not yet read."""
    from mmldm.datasets import ImageShards

    pipeline = [dict(type='LoadImage'), dict(type='PackInputs')]
    return ImageShards(folder, pipeline, size=64)


def write_shards(folder: Path) -> None:
    """Write shards of one captioned image each."""
    from photographs import write_photographs

    image = write_photographs(folder / 'image', 1, 64, 64)[0]
    caption = folder / 'image' / 'caption'
    caption.write_text('a photograph of noise')
    (folder / 'shards').mkdir()
    for number in range(SHARDS):
        with tarfile.open(folder / f'shards/{number:05}.tar', 'w') as shard:
            shard.add(image, '0.jpg')
            shard.add(caption, '0.txt')


def entries(shards: ImageShards, count: int) -> Iterator[dict]:
    """As many entries as asked for, from those of the shards."""
    own = shards.load_data_list()
    for number in range(count):
        entry = own[number % len(own)]
        yield entry | dict(img_path=f'{entry["shard"]}/{number:09}')


def memory() -> dict[str, float]:
    """Memory of this process, MB: all, and what it does not share."""
    fields = {}
    for line in Path('/proc/self/status').read_text().splitlines():
        name, _, value = line.partition(':')
        if name in ('VmRSS', 'RssAnon'):
            fields[name] = int(value.split()[0]) / 1024
    return fields


def start(folder: str) -> dict[str, float]:
    """Build the data set, draw its order and read an image."""
    from mmldm.datasets.samplers import AddressedSampler

    before, begin = memory(), time.perf_counter()
    data = data_set(folder)
    sampler = AddressedSampler(data, seed=0)
    order = iter(sampler)  # kept: it holds a permutation
    first = next(order)
    seconds_order = time.perf_counter() - begin
    data[first]
    seconds = time.perf_counter() - begin
    grown = {k: round(v - before[k], 1) for k, v in memory().items()}
    return dict(
        images=len(data),
        seconds=round(seconds, 3),
        seconds_without_image=round(seconds_order, 3),
        mb=grown['VmRSS'],
        mb_not_shared=grown['RssAnon'],
    )


def main() -> None:
    """Measure and print the results."""
    folder = os.environ.get(CHILD)
    if folder is not None:
        print(json.dumps(start(folder)))
        return
    args = parse_args()
    from mmldm.datasets.entry_index import FOLDER, write_index

    with tempfile.TemporaryDirectory() as name:
        os.environ[FOLDER] = str(Path(name) / 'cache')
        write_shards(Path(name))
        shards = data_set(str(Path(name) / 'shards'))
        index = shards._index_file()
        write_index(index, entries(shards, args.images), ([], None))
        size = round(index.stat().st_size / 2**20, 1)
        environment = os.environ | {
            CHILD: str(Path(name) / 'shards'),
            'PYTHONPATH': os.pathsep.join(sys.path),
        }
        starts = [
            json.loads(
                subprocess.run(
                    [sys.executable, __file__],
                    env=environment,
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                ).stdout.splitlines()[-1]
            )
            for _ in range(args.repeats)
        ]
    report(args, index_mb=size, starts=starts)


if __name__ == '__main__':
    run_tool(main)
