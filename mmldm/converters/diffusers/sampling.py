"""How schedulers of diffusers sample: solver and time grid, both ways."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from mmldm.diffusion import DiffusersGrid, DiffusionScheduler
from mmldm.diffusion.diffusers_grid import SPACINGS

from .params import arguments
from .samplers import DDIM, IN_NOISE, SAMPLERS, Sampler, Sampling


def sampling_from_diffusers(name: str, theirs: Mapping[str, Any]) -> Sampling:
    """Solver and grid of a scheduler's config; DDIM where ours has not.

    Args:
        name: Of the scheduler.
        theirs: Its config.
    """
    if name not in SAMPLERS:
        return DDIM._replace(
            notes=(f'{name} has no counterpart: sampling is by DDIM',)
        )
    sampler = SAMPLERS[name]
    keys = sampler.defaults | dict(theirs)
    notes = [
        f'{name}.{key}={keys[key]!r} has no counterpart: sampling is as with '
        f'{values[0]!r}'
        for key, values in sampler.fixed.items()
        if key in keys and keys[key] not in values
    ]
    spacing = keys['timestep_spacing']
    grid = dict(type='DiffusersGrid', spacing=spacing, **sampler.rounding)
    if spacing == 'leading':
        grid['offset'] = keys['steps_offset']
    elif name in IN_NOISE:
        grid['unit_start'] = False
    if sampler.end is not None:
        end, clean, _ = sampler.end
        grid['to_clean'] = keys[end] == clean
    if sampler.steps_back and spacing == 'linspace':
        notes.append(
            f"{name}.timestep_spacing='linspace' visits these times there "
            'but steps to others, T // num_steps before: here each step '
            'leads to the next time'
        )
    return Sampling(name, {}, _solver(name, keys), grid, tuple(notes))


def _solver(name: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Our solver of a scheduler there."""
    clip = dict(clip=keys['clip_sample_range']) if _clips(keys) else {}
    if name == 'DDIMScheduler':
        return dict(type='DDIM', **clip)
    if name == 'DDPMScheduler':
        large = keys['variance_type'] == 'fixed_large'
        return dict(type='DDPM', posterior=1.0 if large else 0.0, **clip)
    if name == 'UniPCMultistepScheduler':
        return dict(
            type='UniPC', order=max(keys['solver_order'], 2), **_lowered(keys)
        )
    if name == 'DPMSolverMultistepScheduler':
        order = keys['solver_order']
        stochastic = keys['algorithm_type'] == 'sde-dpmsolver++'
        solver = dict(
            type='DPMSolverPP',
            order=order,
            stochastic=stochastic,
            **_lowered(keys),
        )
        if order == 3 and not stochastic:
            solver['as_in_diffusers'] = True
        return solver
    return dict(
        {
            'EulerDiscreteScheduler': dict(type='Euler'),
            'EulerAncestralDiscreteScheduler': dict(type='EulerAncestral'),
            'HeunDiscreteScheduler': dict(type='Heun', coordinates='ve'),
            'PNDMScheduler': dict(type='PLMS', coordinates='ve'),
        }[name]
    )


def _lowered(keys: Mapping[str, Any]) -> dict[str, Any]:
    return dict(lower_order_final=keys['lower_order_final'])


def _clips(keys: Mapping[str, Any]) -> bool:
    return keys.get('clip_sample', False) and 'clip_sample_range' in keys


def sampling_to_diffusers(
    scheduler: DiffusionScheduler, config: Mapping[str, Any]
) -> Sampling | None:
    """A scheduler there that visits the same levels; None if none does.

    Args:
        scheduler: Ours.
        config: It was built from.
    """
    solver, grid = config['solver'], config['time_grid']
    found = _solver_to_diffusers(
        arguments(type(scheduler.solver), solver)
        | dict(type=type(scheduler.solver).__name__)
    )
    if found is None:
        return None
    name, keys, notes = found
    sampler = SAMPLERS[name]
    for settings in _candidates(scheduler, sampler):
        own = DiffusersGrid(**settings, **sampler.rounding)
        if not _same(own, scheduler):
            continue
        keys |= dict(
            timestep_spacing=settings['spacing'],
            steps_offset=settings['offset'],
        )
        if sampler.end is not None:
            end, clean, first = sampler.end
            keys[end] = clean if settings['to_clean'] else first
        return Sampling(name, keys, dict(solver), dict(grid), notes)
    return None


def _candidates(
    scheduler: DiffusionScheduler, sampler: Sampler
) -> Iterator[dict[str, Any]]:
    """Arguments of grids that a scheduler there can visit."""
    grid = scheduler.time_grid
    if isinstance(grid, DiffusersGrid):
        yield dict(
            spacing=grid.spacing, offset=grid.offset, to_clean=grid.to_clean
        )
        return
    offset = getattr(grid, 'offset', 1)
    for spacing in SPACINGS:
        for to_clean in (True, False) if sampler.end else (True,):
            yield dict(
                spacing=spacing,
                offset=int(offset) if spacing == 'leading' else 0,
                to_clean=to_clean,
            )


def _same(grid: DiffusersGrid, scheduler: DiffusionScheduler) -> bool:
    """Whether a grid visits the levels of a scheduler of ours."""
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


def _solver_to_diffusers(
    solver: Mapping[str, Any],
) -> tuple[str, dict[str, Any], tuple[str, ...]] | None:
    """Scheduler, keys and notes of a solver of ours; None if none is."""
    kind = solver['type']
    clip = solver.get('clip')
    clips = dict(clip_sample=clip is not None)
    if clip is not None:
        clips['clip_sample_range'] = clip
    if kind == 'DDIM':
        eta = solver['eta']
        note = f'eta={eta} is not in its file: give it in the call'
        return 'DDIMScheduler', clips, (note,) if eta else ()
    if kind == 'DDPM' and solver['posterior'] in (0, 1):
        variance = 'fixed_large' if solver['posterior'] else 'fixed_small'
        return 'DDPMScheduler', clips | dict(variance_type=variance), ()
    if kind == 'PLMS' and solver['coordinates'] == 've':
        return 'PNDMScheduler', dict(skip_prk_steps=True), ()
    if (
        kind in ('Euler', 'Heun')
        and not solver['churn']
        and solver.get('coordinates', 've') == 've'
    ):
        return f'{kind}DiscreteScheduler', {}, ()
    if kind == 'EulerAncestral' and solver['eta'] == 1:
        return 'EulerAncestralDiscreteScheduler', {}, ()
    lower = solver.get('lower_order_final')
    if lower is None:
        return None
    keys = dict(solver_order=solver['order'], lower_order_final=lower)
    if kind == 'UniPC':
        return 'UniPCMultistepScheduler', keys, ()
    if kind == 'DPMSolverPP' and (
        solver['order'] < 3 or solver['as_in_diffusers']
    ):
        prefix = 'sde-' if solver['stochastic'] else ''
        return (
            'DPMSolverMultistepScheduler',
            keys | dict(algorithm_type=f'{prefix}dpmsolver++'),
            (),
        )
    return None
