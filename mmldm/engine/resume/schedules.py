"""Parameter schedules at the iteration at which a training resumes.

An unchanged schedule takes its state from the checkpoint. One that the
config has changed is stepped from the beginning, so that its values are
those of a training with this config that was never interrupted.
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
# What a schedule that follows a metric has learnt from it.
LEARNT = ('best', 'num_bad_epochs', 'cooldown_counter', 'last_step')
# Of the schedule itself, as opposed to how far it is.
FIXED = ('param_name', 'begin', 'end', 'by_epoch', 'base_values')


def scheduler_states(schedulers: dict | list) -> dict | list:
    """The state of all schedulers, without functions.

    ``OneCycleLR`` has its annealing function among its attributes, which the
    config rebuilds.
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
    """Whether these are schedules of other steps or values than stored."""
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
    """Step new schedulers as a training of so many iterations does.

    Args:
        schedulers: Of one optimizer, as they are built.
        iterations: How many the training has done.
        epoch_length: Iterations of an epoch; None where training has none,
            and schedules by epoch, which follow a metric then, stay.
    """
    by_iter = [s for s in schedulers if not s.by_epoch]
    by_epoch = [s for s in schedulers if s.by_epoch]
    with warnings.catch_warnings():
        # They expect a step of the optimizer before each of theirs.
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
    """Give schedules that follow a metric what they had learnt from it."""
    stored = [state for state in states if 'num_bad_epochs' in state]
    for scheduler, state in zip(plateaus(schedulers), stored, strict=False):
        for name in LEARNT:
            setattr(scheduler, name, state[name])


def plateaus(schedulers: Sequence[_ParamScheduler]) -> list[_ParamScheduler]:
    """Those whose value depends on the metrics of the training."""
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
    """Learning rates where no metric had reduced them, one a group.

    Args:
        groups: Of the optimizer, with their ``initial_lr``.
        build: Makes the schedulers of an optimizer.
        iterations: How many a training has done.
        epoch_length: As of :func:`replay`.
    """
    optimizer = torch.optim.SGD(
        [
            dict(params=[torch.zeros(1)], lr=group['initial_lr'])
            for group in groups
        ]
    )
    replay(build(optimizer), iterations, epoch_length)
    return [group['lr'] for group in optimizer.param_groups]
