"""Checks, before training, that schedules will have the stated effect.

mmengine accepts schedules without it: a schedule by epoch is never stepped in
a training by iteration, and after a schedule that ends near zero, the rest of
the training learns nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from mmengine.optim import _ParamScheduler

from .resume.schedules import (
    Group,
    begun,
    plateaus,
    values_without_metrics,
)

# Below this part of the first learning rate, training has no effect.
NEGLIGIBLE = 1e-3


def with_iterations(schedulers: Any, loop: Any) -> list:
    """The configs of one optimizer's schedules, adapted to a training loop.

    A loop without epochs steps only schedules by iteration: schedules by
    epoch are converted if they have ``convert_to_iter_based``.

    Schedules that would begin after the training are left out.

    Args:
        schedulers: A config, or a list of configs or objects; objects are not
            changed.
        loop: The training loop.

    Raises:
        ValueError: If a schedule would never be stepped; names its key.
    """
    if not isinstance(schedulers, Sequence):
        schedulers = [schedulers]
    schedulers = begun(schedulers, loop.max_iters)
    if loop.epoch_length is not None:
        return list(schedulers)
    length = len(loop.dataloader)
    return [
        _with_iterations(i, dict(config), loop.max_iters, length)
        if isinstance(config, Mapping)
        else config
        for i, config in enumerate(schedulers)
    ]


def _with_iterations(
    place: int, config: dict, max_iters: int, epoch_length: int
) -> dict:
    key = f'param_scheduler.{place}'
    if 'ReduceOnPlateau' in str(config['type']):
        for name in ('begin', 'end'):
            if config.get(name):
                raise ValueError(
                    f'{key}.{name}={config[name]} counts epochs, but training '
                    f'counts iterations: remove {key}.{name}'
                )
        return config
    if not config.get('by_epoch', True):
        return config
    if not config.get('convert_to_iter_based'):
        raise ValueError(
            f'{key} ({config["type"]}) counts epochs, which is the default '
            'of by_epoch, but training counts iterations: set '
            f'{key}.by_epoch=False, with begin, end and the like in '
            f'iterations, or {key}.convert_to_iter_based=True (an epoch has '
            f'{epoch_length} iterations)'
        )
    # Otherwise mmengine would end it after one epoch.
    config.setdefault('end', Fraction(max_iters, epoch_length))
    return config


def check_steps(schedulers: Sequence[_ParamScheduler], max_iters: int) -> None:
    """Raise if a schedule is stepped more often than its cycle allows.

    mmengine raises only at the end of the cycle, perhaps after days.
    """
    for i, scheduler in enumerate(schedulers):
        total = getattr(scheduler, 'total_steps', None)
        if total is None or scheduler.by_epoch:
            continue
        steps = min(scheduler.end, max_iters) - scheduler.begin
        if total < steps - 1:
            raise ValueError(
                f'param_scheduler.{i}.total_steps={total}, but it is stepped '
                f'{steps} times, until iteration '
                f'{scheduler.begin + steps}: set param_scheduler.{i}.end='
                f'{scheduler.begin + total}, or remove total_steps'
            )


def check_scaled(
    schedulers: Sequence[_ParamScheduler], auto_scale_lr: dict | None
) -> None:
    """Raise if a schedule sets a learning rate that is not scaled."""
    if not (auto_scale_lr and auto_scale_lr.get('enable')):
        return
    for i, scheduler in enumerate(schedulers):
        if hasattr(scheduler, 'eta_max'):
            raise ValueError(
                f'param_scheduler.{i}.eta_max={scheduler.eta_max} replaces '
                'the learning rate that --auto-scale-lr scales: set eta_max '
                'for your batch size, and omit --auto-scale-lr'
            )


def check_end(
    schedulers: Sequence[_ParamScheduler],
    groups: Sequence[Group],
    build: Callable[[Any], Sequence[_ParamScheduler]],
    max_iters: int,
) -> None:
    """Raise if training continues after its learning rate has become 0.

    Args:
        schedulers: The schedulers of one optimizer.
        groups: The optimizer's groups, with their ``initial_lr``.
        build: Builds the same schedulers for another optimizer.
        max_iters: Number of iterations of the training.
    """
    if plateaus(schedulers) or any(s.by_epoch for s in schedulers):
        return
    last = max((s.end for s in schedulers), default=max_iters)
    if last >= max_iters:
        return
    rates = values_without_metrics(groups, build, last, None)
    first = [group['initial_lr'] for group in groups]
    if max(rates) >= NEGLIGIBLE * max(first):
        return
    place = max(range(len(schedulers)), key=lambda i: schedulers[i].end)
    raise ValueError(
        f'param_scheduler.{place}.end={last}, but train_cfg.max_iters='
        f'{max_iters}: the learning rate would stay at {max(rates):.2g} for '
        f'the last {max_iters - last} iterations: set param_scheduler.{place}'
        f'.end={max_iters}, or train_cfg.max_iters={last}'
    )
