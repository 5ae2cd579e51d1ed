"""Measure throughput and memory of a config: data, training and sampling.

    python tools/analysis_tools/benchmark.py CONFIG
    python tools/analysis_tools/benchmark.py CONFIG --task training \\
        --max-iter 100 --cfg-options train_dataloader.global_batch_size=64
    python tools/analysis_tools/benchmark.py CONFIG --task dataloader \\
        --cfg-options train_dataloader.num_workers=8

Weights are untrained, and nothing is written. dataloader is the time until the
next batch, training a whole step with its data, and sampling the generation of
a batch of val_dataloader; first stages reconstruct it. If dataloader makes
fewer images per second than training, data are the bottleneck.
"""

from __future__ import annotations

import argparse
import tempfile
from statistics import median
from typing import TYPE_CHECKING

from mmldm.apis import config_parser, load_config, run_tool
from mmldm.utils import check_count, check_range

if TYPE_CHECKING:
    from mmldm.apis.config_benchmark import Speed

# Listed here, so that --help does not import torch.
TASKS = ('dataloader', 'training', 'sampling')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = config_parser(__doc__)
    parser.add_argument(
        '--task',
        nargs='+',
        choices=TASKS,
        default=TASKS,
        help='what is measured (default: all)',
    )
    parser.add_argument(
        '--dataset-type',
        choices=['train', 'val', 'test'],
        default='train',
        help='data that dataloader reads (default: train); with test, '
        'sampling generates a batch of test_dataloader',
    )
    parser.add_argument(
        '--max-iter',
        type=int,
        default=20,
        help='iterations that are measured (default: 20)',
    )
    parser.add_argument(
        '--num-warmup',
        type=int,
        default=3,
        help='iterations before, not measured (default: 3)',
    )
    parser.add_argument(
        '--repeat-num',
        type=int,
        default=1,
        help='repetitions of every measurement (default: 1)',
    )
    return parser.parse_args()


def report(speed: Speed) -> str:
    """A line of the table."""
    least, most = (1e3 * f(speed.seconds) for f in (min, max))
    return (
        f'{speed.task:12}{speed.batch_size:>7}'
        f'{1e3 * median(speed.seconds):>12,.1f}'
        f'{f"{least:,.1f} to {most:,.1f}":>24}'
        f'{speed.images_per_s:>12,.2f}{speed.memory:>14,}'
    )


def main() -> None:
    """Measure and print."""
    args = parse_args()
    check_count('--max-iter', args.max_iter)
    check_count('--repeat-num', args.repeat_num)
    check_range('--num-warmup', args.num_warmup, 0, 10**9)
    with tempfile.TemporaryDirectory() as folder:
        args.work_dir = folder
        cfg = load_config(args)
        import torch
        from mmengine.device import get_device

        from mmldm.apis.config_benchmark import measure_speed, runner_for_speed

        runner = runner_for_speed(cfg)
        print(f'{get_device()}, torch {torch.__version__}')
        print(
            f'{"task":12}{"images":>7}{"ms a batch":>12}{"range":>24}'
            f'{"images/s":>12}{"memory, MiB":>14}'
        )
        for task in list(args.task) * args.repeat_num:
            speed = measure_speed(
                runner,
                task,
                args.dataset_type,
                args.num_warmup,
                args.max_iter,
            )
            print(report(speed), flush=True)


if __name__ == '__main__':
    run_tool(main)
