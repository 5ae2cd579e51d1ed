"""A summary of a run in a few lines, before it starts."""

import os
import time
from datetime import timedelta

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from torch import nn

from mmldm.registry import HOOKS

from ..optim_wrapper import named_wrappers
from ..screen import log_file

# Iterations after the first that are timed to estimate a training's time.
TIMED = 20


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Logs what is trained or tested, on which data, where, and how long.

    The summary names networks and parameters, data and batch, iterations,
    device and precision, the folder of the files, and the way to resume. After
    some iterations, an estimate of the remaining time follows.
    """

    # Runs after the hooks that load and measure.
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.first = 0
        self.began = 0.0

    def before_train(self, runner) -> None:
        """Log the summary of a training."""
        self.first = runner.iter
        loader, steps = runner.train_dataloader, runner.max_iters
        start = f', from {self.first} on' if self.first else ''
        lines = dict(
            self._common(runner, loader),
            iterations=f'{steps:,}{start}',
            device=f'{_device()}, {_precision(runner)}',
            writes=f'{runner.work_dir}: checkpoints and pictures',
            log=log_file(runner.logger),
            curves=_curves(runner),
            resume='after an interruption: the same command with --resume',
        )
        _log(runner, f'Training {_name(runner)}', lines)

    def before_test(self, runner) -> None:
        """Log the summary of a test."""
        lines = dict(
            self._common(runner, runner.test_dataloader),
            device=_device(),
            writes=runner.work_dir,
            log=log_file(runner.logger),
        )
        _log(runner, f'Testing {_name(runner)}', lines)

    def after_train_iter(
        self, runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Estimate the remaining time, once."""
        done = batch_idx + 1 - self.first
        if done == 1:
            self.began = time.perf_counter()
        elif done == 1 + TIMED:
            each = (time.perf_counter() - self.began) / TIMED
            left = runner.max_iters - (batch_idx + 1)
            rest = timedelta(seconds=round(each * left))
            runner.logger.info(
                f'{left:,} more iterations of {each:.2g} s take about {rest}, '
                'besides validations'
            )

    def _common(self, runner, loader) -> dict[str, str]:
        """The lines about networks and data, by their first word."""
        parts = {
            name: _parameters(module)
            for name, module in runner.bare_model.named_children()
            if any(True for _ in module.parameters())
        }
        dataset = loader.dataset
        batch = (loader.batch_size or 1) * runner.world_size
        processes = (
            f' on {runner.world_size} processes'
            if runner.world_size > 1
            else ''
        )
        return parts | dict(
            data=f'{type(dataset).__name__}, {len(dataset):,} samples, '
            f'{batch} a batch{processes}'
        )


def _curves(runner) -> str:
    """How to look at the curves while the training runs."""
    backends = runner.visualizer._vis_backends.values()
    ways = [getattr(backend, 'how_to_open', None) for backend in backends]
    return '; '.join(filter(None, ways))


def _name(runner) -> str:
    return f'{type(runner.bare_model).__name__} {runner.experiment_name}'


def _parameters(module: nn.Module) -> str:
    """A module's class and number of parameters."""
    total = sum(p.numel() for p in module.parameters())
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    share = '' if trained == total else f', {_millions(trained)} trained'
    if not trained:
        share = ', not trained'
    name = type(module).__name__
    return f'{name}, {_millions(total)} parameters{share}'


def _millions(count: int) -> str:
    return f'{count / 1e6:.3g} M' if count >= 1e5 else f'{count:,}'


def _device() -> str:
    if get_device() == 'cuda':
        return f'cuda ({torch.cuda.get_device_name()})'
    if get_device() != 'cpu':
        return get_device()
    return f'cpu ({torch.get_num_threads()} of {os.cpu_count()} cores)'


def _precision(runner) -> str:
    """Precision of the forward passes, of all optimizers."""
    kinds = {
        str(getattr(wrapper, 'dtype', torch.float32)).removeprefix('torch.')
        for wrapper in named_wrappers(runner.optim_wrapper).values()
    }
    return ' and '.join(sorted(kinds))


def _log(runner, title: str, lines: dict[str, str | None]) -> None:
    width = max(map(len, lines)) + 2
    runner.logger.info(
        '\n    '.join(
            [
                title,
                *(f'{k:<{width}}{v}' for k, v in lines.items() if v),
            ]
        )
    )
