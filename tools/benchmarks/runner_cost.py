"""Measure what the Runner costs besides the training step.

    python tools/benchmarks/runner_cost.py
    python tools/benchmarks/runner_cost.py --iterations 100 --device cuda

The LDM of the digits trains by the Runner, with its hooks, and in a bare
loop: next batch, training step of the same model, running average. The two
trainings advance in turn, ten iterations at a time, and the result is the
median ratio of the pairs.
"""

import argparse
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from typing import Any

from digits import SECOND, first_stage, runner_of
from interleaved import (
    checked,
    clock_of,
    in_turn,
    parser_of,
    ratio,
    report,
    table,
)

from mmldm.apis import run_tool

BLOCK = 10  # iterations


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=7)
    parser.add_argument('--batch-size', type=int, default=64, help='images')
    return checked(parser)


def bare_loop(runner: Any) -> Iterator[None]:
    """Train in blocks without a Runner, by the parts of one."""
    import torch

    model, wrapper = runner.model.train(), runner.optim_wrapper
    raw = [w for w in model.denoiser.parameters() if w.requires_grad]
    average = [w.detach().clone() for w in raw]
    batches = iter(runner.train_loop.dataloader)
    while True:
        for _ in range(BLOCK):
            model.train_step(next(batches), wrapper)
            torch._foreach_lerp_(average, [w.detach() for w in raw], 1e-4)
        yield


class Blocks:
    """The Runner's training; a call trains for one more block.

    The training runs in a thread of its own, which waits between the blocks.

    Args:
        runner: The runner.
    """

    def __init__(self, runner: Any) -> None:
        from threading import Semaphore, Thread

        from mmengine.hooks import Hook

        start, done = Semaphore(0), Semaphore(0)

        class Pause(Hook):
            priority = 'LOWEST'

            def after_train_iter(self, runner: Any, batch_idx: int, *_, **__):
                if (batch_idx + 1) % BLOCK == 0:
                    done.release()
                    start.acquire()

        runner.register_hook(Pause())
        self.start, self.done = start, done
        self.thread = Thread(target=runner.train, daemon=True)

    def __call__(self) -> None:
        """Train for a block; the first call begins the training."""
        if self.thread.ident is None:
            self.thread.start()
        else:
            self.start.release()
        self.done.acquire()


def built(args: argparse.Namespace, stage: str, name: str) -> Any:
    """A runner of the digits LDM that does not end before the benchmark."""
    runner = runner_of(
        SECOND,
        f'{args.folder}/{name}',
        BLOCK * (args.repeats + 3),
        model__autoencoder_checkpoint=stage,
        train_dataloader__global_batch_size=args.batch_size,
        default_hooks__checkpoint__interval=10**6,
        default_hooks__checkpoint__save_last=False,
    )
    return runner


def prepared(runner: Any) -> Any:
    """The runner with its loop and optimizer, which ``train`` would make."""
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    return runner


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    with TemporaryDirectory() as args.folder:
        stage = first_stage(args.folder)
        bare = bare_loop(prepared(built(args, stage, 'bare')))
        runs: dict[str, Callable[[], Any]] = {
            'bare loop': lambda: next(bare),
            'Runner': Blocks(built(args, stage, 'runner')),
        }
        seconds = in_turn(runs, args.repeats, clock_of(args))
        print(table(seconds, f'{BLOCK} iterations'))
        cost = ratio(seconds, 'Runner', 'bare loop')
        report(args, runner_over_bare_loop=cost, seconds=seconds)


if __name__ == '__main__':
    run_tool(main)
