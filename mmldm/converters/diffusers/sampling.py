"""Sampling by schedulers of diffusers: solver and time grid, both ways.

An export is a scheduler whose import gives our sampling in every step and
without a note.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import torch

from mmldm.diffusion import DiffusersSigmas, DiffusionScheduler
from mmldm.diffusion.diffusers_grid import SPACINGS
from mmldm.registry import DIFFUSION_SCHEDULERS

from .differences import MEASURES
from .samplers import DDIM, IN_NOISE, SAMPLERS, Sampler, Sampling
from .solvers import (
    complete,
    plan,
    solver_from_diffusers,
    solvers_to_diffusers,
)

# Largest difference of two initial standard deviations whose samples are equal
# within 1e-3: the ends of paths differ by up to 2.5 times as much.
SAME_START = 2e-4


def sampling_from_diffusers(
    name: str, theirs: Mapping[str, Any], num_steps: int | None = None
) -> Sampling:
    """Our solver and grid for a scheduler; DDIM if there is none.

    Args:
        name: Name of the scheduler.
        theirs: Config of the scheduler.
        num_steps: Number of steps that notes are for; None for any.
    """
    if name not in SAMPLERS:
        return DDIM._replace(
            notes=(f'{name} has no counterpart: sampling is by DDIM',)
        )
    sampler = SAMPLERS[name]
    keys = sampler.defaults | _without(theirs, sampler)
    notes = [
        f'{name}.{key}={keys[key]!r} has no counterpart: sampling is as with '
        f'{values[0]!r}'
        for key, values in sampler.fixed.items()
        if key in keys and keys[key] not in values
    ]
    notes += [
        f'{name} {difference.note}'
        for difference in sampler.differs
        if difference.when(keys, num_steps)
    ]
    return Sampling(
        name,
        {},
        solver_from_diffusers(name, keys),
        _grid(name, sampler, keys),
        tuple(notes),
    )


def _without(keys: Mapping[str, Any], sampler: Sampler) -> dict[str, Any]:
    """The keys that a scheduler reads."""
    return {k: v for k, v in keys.items() if k not in sampler.lacks}


def _grid(
    name: str, sampler: Sampler, keys: Mapping[str, Any]
) -> dict[str, Any]:
    """Our time grid for a scheduler of diffusers."""
    spacing = keys['timestep_spacing']
    grid = dict(type='DiffusersGrid', spacing=spacing, **sampler.rounding)
    own = {}
    if spacing == 'leading':
        grid['offset'] = keys['steps_offset']
    elif name in IN_NOISE:
        own['unit_start'] = False
    if sampler.end is not None:
        end, clean, _ = sampler.end
        own['to_clean'] = keys[end] == clean
    for key, measure in MEASURES.items():
        if key in sampler.sigmas and keys.get(key):
            times = _times(name, key, sampler, keys)
            # The other schedulers space all levels of their table.
            ends = dict(ends=grid) if name in IN_NOISE else {}
            return dict(
                type='DiffusersSigmas',
                measure=dict(measure),
                times=times,
                **ends,
                **own,
            )
    return grid | own


def _times(
    name: str, key: str, sampler: Sampler, keys: Mapping[str, Any]
) -> str:
    """The rounding of times by a scheduler; one of them has an exception."""
    times = sampler.sigmas[key]
    cosine = keys.get('beta_schedule') == 'squaredcos_cap_v2'
    if name == 'DPMSolverMultistepScheduler' and cosine:
        return 'floored'
    return times


def sampling_to_diffusers(
    scheduler: DiffusionScheduler,
    config: Mapping[str, Any],
    noise: Mapping[str, Any],
) -> Sampling | None:
    """The scheduler of diffusers that generates the same, or None.

    Args:
        scheduler: Our scheduler.
        config: Config of our scheduler.
        noise: Keys of diffusers for its betas and prediction.
    """
    solver, levels = config['solver'], scheduler.levels()
    aim = plan(solver, levels)
    notes = tuple(_call(scheduler, solver))
    for name, own in solvers_to_diffusers(complete(solver)):
        for spaced in _spacings(scheduler.time_grid, SAMPLERS[name]):
            keys = own | spaced
            theirs = sampling_from_diffusers(
                name, {**noise, **keys}, scheduler.num_steps
            )
            if (
                not theirs.notes
                and plan(theirs.solver, levels) == aim
                and _same(theirs.time_grid, scheduler)
            ):
                return theirs._replace(
                    keys=_without(keys, SAMPLERS[name]),
                    notes=(*notes, *_start(theirs, scheduler)),
                )
    return None


def _start(theirs: Sampling, scheduler: DiffusionScheduler) -> Iterator[str]:
    """Note that a pipeline starts from more or less noise, if it does."""
    first = scheduler.levels()[0]
    grid = DIFFUSION_SCHEDULERS.build(dict(theirs.time_grid))
    ours = float(scheduler.start(torch.ones_like(first.sigma), first))
    there = float(grid.start_std(first))
    if abs(ours / there - 1) > SAME_START:
        yield (
            f'{theirs.name} starts from noise of deviation {there:.4f} in '
            f'their pipelines, this model from {ours:.4f}: here '
            f'time_grid={theirs.time_grid} gives the same'
        )


def _call(
    scheduler: DiffusionScheduler, solver: Mapping[str, Any]
) -> Iterator[str]:
    """Note the arguments that must be given in the call."""
    eta = complete(solver).get('eta', 0)
    if complete(solver)['type'] == 'DDIM' and eta:
        yield f'eta={eta} is not in its file: give it in the call'


def _spacings(grid: Any, sampler: Sampler) -> Iterator[dict[str, Any]]:
    """Keys for the levels that a scheduler of diffusers can visit.

    Args:
        grid: Our time grid; its offset is kept.
        sampler: The scheduler.
    """
    spaced = isinstance(grid, DiffusersSigmas)
    offset = getattr(grid.ends if spaced else grid, 'offset', 1)
    measures = [{key: True} for key in sampler.sigmas] if spaced else [{}]
    end, clean, first = sampler.end or ('', True, True)
    for spacing, last, measure in product(
        SPACINGS, (clean, first) if end else (clean,), measures
    ):
        keys = dict(
            timestep_spacing=spacing,
            steps_offset=int(offset) if spacing == 'leading' else 0,
        )
        yield keys | ({end: last} if end else {}) | measure


def _same(config: Mapping[str, Any], scheduler: DiffusionScheduler) -> bool:
    """Whether a grid visits the levels of a scheduler of ours."""
    grid = DIFFUSION_SCHEDULERS.build(dict(config))
    try:
        levels = grid(scheduler.noise_schedule, scheduler.num_steps)
    except ValueError:
        return False
    ours = scheduler.levels()
    return len(ours) == len(levels) and all(
        torch.allclose(getattr(a, key), getattr(b, key), rtol=0, atol=1e-9)
        for a, b in zip(ours, levels, strict=True)
        for key in ('t', 'alpha', 'sigma')
    )
