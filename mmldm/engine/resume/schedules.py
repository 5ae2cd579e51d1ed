"""Parameter schedules at the iteration where a training resumes.

An unchanged schedule loads its state from the checkpoint. A schedule that the
config has changed is stepped from the beginning, so that its values are those
of an uninterrupted training with this config.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapper, _ParamScheduler
from mmengine.optim.scheduler.param_scheduler import (
    ReduceOnPlateauParamScheduler,
)

Group = dict[str, Any]
# State that a schedule has learnt from the metric that it follows.
LEARNT = ('best', 'num_bad_epochs', 'cooldown_counter', 'last_step')
# Settings of a schedule, as opposed to its progress.
FIXED = ('param_name', 'begin', 'end', 'by_epoch', 'base_values')


def begun(schedulers: Sequence, max_iters: int) -> list:
    """Leave out the configs of schedules that would begin after the training.

    A training that is cut short, to try it, has no use for them; mmengine
    refuses them.

    Args:
        schedulers: Configs or objects; only those configs are left out that
            count iterations and have no ``end``.
        max_iters: Number of iterations of the training.
    """
    return [
        config
        for config in schedulers
        if not isinstance(config, Mapping)
        or config.get('by_epoch', True)
        or 'end' in config
        or config.get('begin', 0) < max_iters
    ]


def scheduler_states(schedulers: dict | list) -> dict | list:
    """The state of all schedulers, without functions.

    ``OneCycleLR`` has its annealing function among its attributes; the config
    rebuilds it.
    """
    if isinstance(schedulers, dict):
        return {k: scheduler_states(v) for k, v in schedulers.items()}
    return [
        {k: v for k, v in scheduler.state_dict().items() if not callable(v)}
        for scheduler in schedulers
    ]


def steps_differ(
    schedulers: Sequence[_ParamScheduler], states: Sequence[Mapping]
) -> bool:
    """Whether schedules differ from stored ones in steps or values."""
    if len(schedulers) != len(states):
        return True
    return any(
        getattr(scheduler, name, None) != state.get(name)
        for scheduler, state in zip(schedulers, states, strict=True)
        for name in FIXED
    )


def replay(
    schedulers: Sequence[_ParamScheduler],
    iterations: int,
    epoch_length: int | None,
) -> None:
    """Step new schedulers as a training of ``iterations`` does.

    Args:
        schedulers: New schedulers of one optimizer.
        iterations: Number of completed iterations.
        epoch_length: Iterations in an epoch; None if epochs are not counted.
            Schedules by epoch, which then follow a metric, are not stepped.
    """
    by_iter = [s for s in schedulers if not s.by_epoch]
    by_epoch = [s for s in schedulers if s.by_epoch]
    with warnings.catch_warnings():
        # Schedulers warn if no step of the optimizer comes before theirs.
        warnings.simplefilter('ignore', UserWarning)
        for done in range(1, iterations + 1):
            for scheduler in by_iter:
                scheduler.step()
            if epoch_length and done % epoch_length == 0:
                for scheduler in by_epoch:
                    scheduler.step()


def take_learnt(
    schedulers: Sequence[_ParamScheduler], states: Sequence[Mapping]
) -> None:
    """Give schedules that follow a metric their stored state about it."""
    stored = [state for state in states if 'num_bad_epochs' in state]
    for scheduler, state in zip(plateaus(schedulers), stored, strict=False):
        for name in LEARNT:
            setattr(scheduler, name, state[name])


def plateaus(schedulers: Sequence[_ParamScheduler]) -> list[_ParamScheduler]:
    """The schedulers whose value depends on a metric."""
    return [
        scheduler
        for scheduler in schedulers
        if isinstance(scheduler, ReduceOnPlateauParamScheduler)
    ]


def values_without_metrics(
    groups: Sequence[Group],
    build: Callable[[OptimWrapper], Sequence[_ParamScheduler]],
    iterations: int,
    epoch_length: int | None,
) -> list[float]:
    """Learning rates, one for each group, without reductions by metrics.

    Args:
        groups: The optimizer's groups, with their ``initial_lr``.
        build: Builds the schedulers of an optimizer.
        iterations: Number of completed iterations.
        epoch_length: See :func:`replay`.
    """
    optimizer = torch.optim.SGD(
        [
            dict(params=[torch.zeros(1)], lr=group['initial_lr'])
            for group in groups
        ]
    )
    replay(build(optimizer), iterations, epoch_length)
    return [group['lr'] for group in optimizer.param_groups]
