"""Time a training by two processes against one, with a thread each.

    python tools/benchmarks/processes.py
    python tools/benchmarks/processes.py --batch-size 128 --processes 4

The LDM of the digits trains with the same global batch. All processes of a
contestant start anew in each round; the median iteration counts, by the clock
on the wall. The machine must have a free core for each process.
"""

import argparse
import os
import statistics
import time
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from digits import SECOND, first_stage, runner_of
from interleaved import checked, parser_of, ratio, report, table

from mmldm.apis import run_tool

ITERATIONS = 25
WARMUPS = 5


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=3, device=False)
    parser.add_argument(
        '--batch-size', type=int, default=64, help='images of all processes'
    )
    parser.add_argument(
        '--processes', type=int, default=2, help='processes of the contestant'
    )
    return checked(parser)


def work(rank: int, world: int, port: int, folder: str, batch: int) -> None:
    """Train in one of the processes; the first writes its iteration times."""
    environment = dict(
        RANK=rank,
        LOCAL_RANK=rank,
        WORLD_SIZE=world,
        LOCAL_WORLD_SIZE=world,
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=port,
    )
    os.environ.update({k: str(v) for k, v in environment.items()})
    import torch
    from mmengine.hooks import Hook

    from mmldm.utils.distributed import leave_process_group

    torch.set_num_threads(1)
    times = []

    class Times(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    runner = runner_of(
        SECOND,
        f'{folder}/work_{world}',
        ITERATIONS,
        model__autoencoder_checkpoint=f'{folder}/first_stage',
        train_dataloader__global_batch_size=batch,
        default_hooks__checkpoint__interval=10**6,
        default_hooks__checkpoint__save_last=False,
        **(dict(launcher='pytorch') if world > 1 else {}),
    )
    runner.register_hook(Times())
    runner.train()
    leave_process_group()
    if rank == 0:
        text = '\n'.join(map(repr, times))
        Path(folder, f'times_{world}').write_text(text)


def seconds_of(world: int, folder: str, batch: int) -> float:
    """Median seconds of an iteration by a number of processes.

    Raises:
        ValueError: If a process fails.
    """
    import socket

    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = get_context('spawn')
    processes = [
        context.Process(target=work, args=(rank, world, port, folder, batch))
        for rank in range(world)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise ValueError(f'a process of {world} failed; see above')
    text = Path(folder, f'times_{world}').read_text()
    times = [float(line) for line in text.splitlines()][WARMUPS:]
    return statistics.median(
        b - a for a, b in zip(times, times[1:], strict=False)
    )


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    one, more = '1 process', f'{args.processes} processes'
    seconds: dict[str, list[float]] = {one: [], more: []}
    with TemporaryDirectory() as folder:
        first_stage(folder)
        for turn in range(args.repeats):
            both = [(one, 1), (more, args.processes)]
            for name, world in both if turn % 2 else reversed(both):
                spent = seconds_of(world, folder, args.batch_size)
                seconds[name].append(spent)
    print(table(seconds, 'iteration'))
    report(args, one_over_more=ratio(seconds, one, more), seconds=seconds)


if __name__ == '__main__':
    run_tool(main)
