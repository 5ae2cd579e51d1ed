"""Measure the memory of a training step, and its growth.

    python tools/benchmarks/step_memory.py --channels 64
    python tools/benchmarks/step_memory.py --sizes 64 128 \\
        --batch-sizes 1 8 64 --device cuda

Each row is a process: our step of training_step.py for a size of latents and a
batch, with and without checkpointing. The peak on a CPU is that of the
process, less that before the first step; on a GPU that of its allocator.
"""

import argparse
from itertools import product

from interleaved import checked, parser_of, report
from served import Served
from training_step import our_unet, step_of

from mmldm.apis import run_tool


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=2)
    parser.add_argument('--channels', type=int, default=224)
    parser.add_argument('--sizes', type=int, nargs='+', default=[32, 64])
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 2])
    return checked(parser)


def step(args: argparse.Namespace):
    """Our training step, without a running average."""
    import torch

    from mmldm.structures import Condition
    from mmldm.utils.memory import keep_freed_memory

    if args.device == 'cpu':
        keep_freed_memory()
    options = dict(channels_last=True, checkpointing=args.checkpointing)
    unet = our_unet(args, **options)
    return step_of(
        args,
        unet,
        lambda z, t: unet(z, t, Condition()),
        lambda: None,
        torch.bfloat16,
        fused=True,
    )


def peak(args: argparse.Namespace) -> float:
    """MiB that a step needs."""
    run = Served(step, args)
    before = run.ask('forget')
    for _ in range(args.repeats):
        run()
    after = run.ask('memory')
    run.close()
    return after if args.device.startswith('cuda') else after - before


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    rows = []
    print('| latents | batch | MiB | with checkpointing |\n|---|--:|--:|--:|')
    for size, batch in product(args.sizes, args.batch_sizes):
        found = [
            peak(
                argparse.Namespace(
                    **vars(args),
                    size=size,
                    batch_size=batch,
                    checkpointing=checkpointing,
                )
            )
            for checkpointing in (False, True)
        ]
        rows.append(dict(size=size, batch=batch, mib=found))
        print(f'| {size}x{size} | {batch} | {found[0]:.0f} | {found[1]:.0f} |')
    report(args, rows=rows)


if __name__ == '__main__':
    run_tool(main)
