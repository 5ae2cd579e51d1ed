"""Speed and memory of what a config does: loading, training and sampling."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmldm.engine.log_processor import peak_memory
from mmldm.models.editors.editor import Editor

from .referenced_files import REFERENCE
from .runners import build_runner


@dataclass(frozen=True)
class Speed:
    """Time and memory of a task.

    Args:
        task: 'dataloader', 'training' or 'sampling'.
        batch_size: Images of an iteration.
        seconds: Seconds of each measured iteration.
        memory: Peak in MiB: of a GPU what the task allocated, of a CPU what
            the process has held until its end.
    """

    task: str
    batch_size: int
    seconds: list[float]
    memory: int

    @property
    def images_per_s(self) -> float:
        """Images a second, by the median of the iterations."""
        return self.batch_size / median(self.seconds)


def runner_for_speed(cfg: Config) -> Runner:
    """The runner of a config, with untrained weights where files are missing.

    Args:
        cfg: A config, changed in place: nothing is shown or judged.
    """
    if REFERENCE in cfg.model:
        # The architecture is in the config now; speed needs no weights.
        cfg.model[REFERENCE] = None
    cfg.log_level = 'ERROR'
    cfg.visualizer = dict(type='mmengine.Visualizer', vis_backends=[])
    runner = build_runner(cfg)
    runner._maybe_compile('train_step')  # as training does
    return runner


def measure_speed(
    runner: Runner, task: str, phase: str, warmup: int, count: int
) -> Speed:
    """Measure a task.

    Args:
        runner: See :func:`runner_for_speed`.
        task: 'dataloader', 'training' or 'sampling'.
        phase: 'train', 'val' or 'test'; whose data the data loader reads.
        warmup: Iterations that are not measured.
        count: Iterations that are measured, if there is enough data.

    Raises:
        ValueError: If the config lacks what the task needs.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    step, batch_size = _STEPS[task](runner, phase)
    seconds = []
    for iteration in range(warmup + count):
        _wait()
        start = time.perf_counter()
        step()
        _wait()
        if iteration >= warmup:
            seconds.append(time.perf_counter() - start)
    return Speed(task, batch_size, seconds, _memory())


def _loading(runner: Runner, phase: str) -> tuple[Callable[[], Any], int]:
    loader = _loader(runner, phase)
    batches = _forever(loader)
    return lambda: next(batches), loader.batch_size


def _training(runner: Runner, _: str) -> tuple[Callable[[], Any], int]:
    if runner._train_loop is None:
        raise ValueError(
            'the config has no training: set train_dataloader, train_cfg and '
            "optim_wrapper, or leave out the task 'training'"
        )
    loop = runner.train_loop
    if not hasattr(runner.optim_wrapper, 'update_params'):
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.model.train()
    batches, numbers = _forever(loop.dataloader), itertools.count()

    def step() -> None:
        batch = next(batches)
        if isinstance(runner.bare_model, Editor):
            batch = {**batch, 'iteration': next(numbers)}
        runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper)

    return step, loop.dataloader.batch_size


def _sampling(runner: Runner, phase: str) -> tuple[Callable[[], Any], int]:
    loader = _loader(runner, 'val' if phase == 'train' else phase)
    runner.model.eval()
    batches = _forever(loader)

    @torch.no_grad()
    def step() -> None:
        runner.model.val_step(next(batches))

    # A data set may be smaller than a batch.
    return step, min(loader.batch_size, len(loader.dataset))


_STEPS = dict(dataloader=_loading, training=_training, sampling=_sampling)


def _loader(runner: Runner, phase: str) -> Any:
    config = runner.cfg.get(f'{phase}_dataloader')
    if config is None:
        raise ValueError(
            f'the config has no {phase}_dataloader: set it, or measure the '
            'data of another phase'
        )
    if phase == 'train':
        return runner.train_loop.dataloader
    return runner.build_dataloader(config)


def _forever(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() // 2**20
    return peak_memory()
