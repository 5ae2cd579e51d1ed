"""Loading of optimizers and their schedules from a checkpoint.

Settings that the config has changed (a learning rate, betas, a schedule) come
from the config; everything else comes from the checkpoint.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.optim import OptimWrapper, _ParamScheduler

from ..fused_optimizers import computed_as, order_as_weights
from .schedules import (
    plateaus,
    replay,
    steps_differ,
    take_learnt,
    values_without_metrics,
)


class Progress(NamedTuple):
    """The progress of a training.

    Attributes:
        iterations: Number of completed iterations.
        epoch_length: Iterations in an epoch; None if epochs are not counted.
    """

    iterations: int
    epoch_length: int | None


class Changed(NamedTuple):
    """The changes of the config that concern one optimizer.

    Attributes:
        settings: Names of changed settings of the groups, such as
            ``weight_decay``; None if all may have changed.
        schedule: Whether the learning rate or its schedule has changed; None
            if the config does not show it.
    """

    settings: set[str] | None
    schedule: bool | None


class Part(NamedTuple):
    """One optimizer of a training, and its state in a checkpoint.

    Attributes:
        key: Config key of the optimizer, for messages.
        wrapper: The wrapper, built from the present config.
        schedulers: The schedulers, built from the present config.
        state: State of the wrapper in the checkpoint.
        scheduler_states: States of the schedulers in the checkpoint.
        build_stored: Builds the schedulers of the checkpoint's config for an
            optimizer; None if that config cannot be read.
    """

    key: str
    wrapper: OptimWrapper
    schedulers: Sequence[_ParamScheduler]
    state: dict
    scheduler_states: Sequence[Mapping[str, Any]]
    build_stored: Callable[[Any], Sequence[_ParamScheduler]] | None


def resume_part(part: Part, changed: Changed, progress: Progress) -> bool:
    """Load one optimizer and its schedules.

    Returns:
        Whether the schedule differs from the checkpoint's.

    Raises:
        ValueError: If the state does not fit the optimizer, or a reduced
            learning rate cannot be carried over to a changed schedule.
    """
    fresh = [
        {name: value for name, value in group.items() if name != 'params'}
        for group in part.wrapper.param_groups
    ]
    stored = part.state['param_groups']
    other_schedule = _schedule_changed(part, changed, fresh)
    factors = _reductions(part, stored, progress) if other_schedule else None
    _load(part)
    scheduled = _scheduled_names(part, fresh) if other_schedule else set()
    for group, new in zip(part.wrapper.param_groups, fresh, strict=True):
        names = set(new) if changed.settings is None else changed.settings
        group.update({n: new[n] for n in names & set(new) if not _of_lr(n)})
        group.update({n: new[n] for n in scheduled & set(new)})
    if not other_schedule:
        pairs = zip(part.schedulers, part.scheduler_states, strict=True)
        for scheduler, state in pairs:
            scheduler.load_state_dict(state)
        _catch_up(part.schedulers, progress)
        return False
    replay(part.schedulers, *progress)
    take_learnt(part.schedulers, part.scheduler_states)
    if factors:
        _reduce(part, factors)
    return True


def _catch_up(
    schedulers: Sequence[_ParamScheduler], progress: Progress
) -> None:
    """Do the step at the end of an epoch, which its checkpoint lacks."""
    if progress.epoch_length is None:
        return
    for scheduler in schedulers:
        epochs = progress.iterations // progress.epoch_length
        while scheduler.by_epoch and scheduler._global_step < epochs:
            scheduler.step()


def _load(part: Part) -> None:
    groups = part.wrapper.param_groups
    stored = computed_as(part.state['param_groups'], groups)
    try:
        part.wrapper.load_state_dict({**part.state, 'param_groups': stored})
        order_as_weights(part.wrapper.optimizer)
    except (ValueError, KeyError) as error:
        raise ValueError(
            f'the state of {part.key} in the checkpoint does not fit '
            f'({error}): restore optimizer, paramwise_cfg and the trained '
            'parts, or start a training with load_from instead of --resume'
        ) from error


def _schedule_changed(
    part: Part, changed: Changed, fresh: Sequence[Mapping]
) -> bool:
    stored = part.state['param_groups']
    first = [group.get('initial_lr') for group in stored]
    if changed.schedule or steps_differ(
        part.schedulers, part.scheduler_states
    ):
        return True
    if None in first:  # a training without schedule, before 2026-12
        if changed.schedule is False:
            return False
        return [g['lr'] for g in stored] != [
            g['lr'] for g in fresh[: len(stored)]
        ]
    return first != [g['initial_lr'] for g in fresh[: len(stored)]]


def _scheduled_names(part: Part, fresh: Sequence[Mapping]) -> set[str]:
    """Names of the groups' settings that schedules change."""
    parameters = {'lr'}
    parameters |= {s.param_name for s in part.schedulers}
    parameters |= {state['param_name'] for state in part.scheduler_states}
    if 'momentum' in parameters:
        parameters.add('betas')
    # initial_lr, max_lr, min_lr
    return {
        name
        for group in fresh
        for name in group
        if name.rpartition('_')[2] in parameters
    }


def _of_lr(name: str) -> bool:
    return name.rpartition('_')[2] == 'lr'


def _reductions(
    part: Part, stored: Sequence[Mapping], progress: Progress
) -> list[float] | None:
    """The factor by which metrics have reduced each group's learning rate.

    None if no metric reduced a rate before, or none does now.
    """
    followed = any('num_bad_epochs' in s for s in part.scheduler_states)
    if not (followed and plateaus(part.schedulers)):
        return None
    if part.build_stored is None:
        raise ValueError(
            'param_scheduler follows a metric and has changed, and the '
            'config in the checkpoint cannot be read: restore '
            'param_scheduler and optim_wrapper, or start a training with '
            'load_from instead of --resume'
        )
    free = values_without_metrics(stored, part.build_stored, *progress)
    return [
        group['lr'] / value if value else 1.0
        for group, value in zip(stored, free, strict=True)
    ]


def _reduce(part: Part, factors: Sequence[float]) -> None:
    for i, factor in enumerate(factors):
        group = part.wrapper.optimizer.param_groups[i]
        least = max(s.min_values[i] for s in plateaus(part.schedulers))
        group['lr'] = max(group['lr'] * factor, least)
