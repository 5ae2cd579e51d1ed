"""How schedulers of diffusers sample: solver and time grid, both ways."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from mmldm.diffusion import DiffusersGrid, DiffusionScheduler
from mmldm.diffusion.diffusers_grid import SPACINGS

from .params import arguments
from .samplers import DDIM, IN_NOISE, SAMPLERS, SHARED, Sampler, Sampling


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
    keys = SHARED | sampler.defaults | dict(theirs)
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
    notes += [f'{name}: {reason}' for reason in _other_steps(name, keys)]
    return Sampling(name, {}, _solver(name, keys), grid, tuple(notes))


def _other_steps(name: str, keys: Mapping[str, Any]) -> Iterator[str]:
    """What a scheduler there does that our counterpart does not.

    Args:
        name: Of the scheduler.
        keys: Its config, defaults too; ``num_steps`` where that is known.
    """
    spacing, length = keys['timestep_spacing'], keys['num_train_timesteps']
    whole = 'num_steps' in keys and length % keys['num_steps'] == 0
    if SAMPLERS[name].steps_back and (
        spacing == 'linspace' or (spacing == 'trailing' and not whole)
    ):
        unless = (
            ''
            if spacing == 'linspace'
            else (f', unless num_steps divides {length}')
        )
        yield (
            f'its steps with {spacing} spacing lead to T // num_steps before, '
            f'not to the next time{unless}: here each leads to the next'
        )
    if name == 'PNDMScheduler' and keys['prediction_type'] != 'epsilon':
        yield (
            'it averages what the network predicts, here the noise that '
            f'follows from {keys["prediction_type"]}'
        )
    at_zero = spacing == 'linspace' or (
        spacing == 'leading' and keys['steps_offset'] == 0
    )
    if keys.get('variance_type') == 'fixed_large' and not at_zero:
        yield 'it adds noise in its last step, which here ends without'
    if (
        keys.get('algorithm_type') == 'sde-dpmsolver++'
        and keys['solver_order'] == 3
    ):
        yield 'its third order with noise is of another formula'
    if (
        name == 'UniPCMultistepScheduler'
        and not keys['lower_order_final']
        and keys['final_sigmas_type'] == 'zero'
    ):
        yield (
            'without lower_order_final its last step to sigma 0 is not '
            'finite, here it is of first order'
        )


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
    scheduler: DiffusionScheduler, config: Mapping[str, Any], prediction: str
) -> Sampling | None:
    """A scheduler there that draws the same; None if none does.

    Args:
        scheduler: Ours.
        config: It was built from.
        prediction: Their name of what the network predicts.
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
        found = keys | dict(
            timestep_spacing=settings['spacing'],
            steps_offset=settings['offset'],
        )
        if sampler.end is not None:
            end, clean, first = sampler.end
            found[end] = clean if settings['to_clean'] else first
        drawn = (
            sampler.defaults
            | found
            | dict(
                num_train_timesteps=scheduler.noise_schedule.num_timesteps,
                num_steps=scheduler.num_steps,
                prediction_type=prediction,
            )
        )
        if not any(_other_steps(name, drawn)):
            return Sampling(name, found, dict(solver), dict(grid), notes)
    return None


def _candidates(
    scheduler: DiffusionScheduler, sampler: Sampler
) -> Iterator[dict[str, Any]]:
    """Arguments of grids that a scheduler there can visit."""
    offset = getattr(scheduler.time_grid, 'offset', 1)
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
