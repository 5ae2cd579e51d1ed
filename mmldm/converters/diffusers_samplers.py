"""How schedulers of diffusers sample: solver and time grid, both ways."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from mmldm.diffusion import DiffusersGrid, DiffusionScheduler

from .diffusers_params import arguments


class Sampling(NamedTuple):
    """A way of sampling, there and here.

    Attributes:
        name: The scheduler there.
        keys: Of its config.
        solver: Config of ours.
        time_grid: Config of ours.
        notes: In what one differs from the other.
    """

    name: str
    keys: dict[str, Any]
    solver: dict[str, Any]
    time_grid: dict[str, Any]
    notes: tuple[str, ...] = ()


class Sampler(NamedTuple):
    """A scheduler of diffusers that ours has too.

    Attributes:
        defaults: What it takes where a key is left out.
        rounding: Arguments of ``DiffusersGrid`` that are its own.
        fixed: The values that ours has, by key; another gets a note.
        end: Key and values for a last step to the clean level, and to the
            first of the schedule; None where it is always clean.
        lacks: Keys of betas that it does not read.
        steps_back: It steps by T // num_steps, whatever the next time is.
    """

    defaults: dict[str, Any]
    rounding: dict[str, Any]
    fixed: dict[str, tuple]
    end: tuple[str, Any, Any] | None = None
    lacks: frozenset[str] = frozenset()
    steps_back: bool = False


ZERO_SNR = frozenset({'rescale_betas_zero_snr'})
SPACED = {
    'use_beta_sigmas': (False, None),
    'use_exponential_sigmas': (False, None),
    'use_flow_sigmas': (False, None),
    'use_karras_sigmas': (False, None),
    'use_lu_lambdas': (False, None),
}
FINAL = ('final_sigmas_type', 'zero', 'sigma_min')
LEADING = dict(timestep_spacing='leading', steps_offset=0)
LINSPACE = dict(timestep_spacing='linspace', steps_offset=0)
CLIPPED = dict(clip_sample=True, clip_sample_range=1.0)
SAMPLERS = {
    'DDIMScheduler': Sampler(
        LEADING | CLIPPED | dict(set_alpha_to_one=True),
        {},
        dict(thresholding=(False,)),
        ('set_alpha_to_one', True, False),
        steps_back=True,
    ),
    'DDPMScheduler': Sampler(
        LEADING | CLIPPED | dict(variance_type='fixed_small'),
        {},
        dict(
            thresholding=(False,), variance_type=('fixed_small', 'fixed_large')
        ),
    ),
    'PNDMScheduler': Sampler(
        LEADING | dict(set_alpha_to_one=False, skip_prk_steps=False),
        {},
        dict(skip_prk_steps=(True,)),
        ('set_alpha_to_one', True, False),
        ZERO_SNR,
        steps_back=True,
    ),
    'EulerDiscreteScheduler': Sampler(
        LINSPACE,
        dict(rounded=False),
        SPACED
        | dict(
            # Its latents are divided by alpha, which then is not 1.
            final_sigmas_type=('zero',),
            interpolation_type=('linear',),
            timestep_type=('discrete',),
        ),
    ),
    'EulerAncestralDiscreteScheduler': Sampler(
        LINSPACE, dict(rounded=False), {}
    ),
    'HeunDiscreteScheduler': Sampler(
        LINSPACE | dict(beta_start=0.00085, beta_end=0.012),
        dict(rounded=False),
        SPACED | dict(clip_sample=(False,)),
        lacks=ZERO_SNR,
    ),
    'DPMSolverMultistepScheduler': Sampler(
        LINSPACE
        | dict(
            solver_order=2,
            algorithm_type='dpmsolver++',
            final_sigmas_type='zero',
        ),
        dict(spare_zero=True),
        SPACED
        | dict(
            algorithm_type=('dpmsolver++', 'sde-dpmsolver++'),
            lambda_min_clipped=(-math.inf,),
            solver_type=('midpoint',),
            thresholding=(False,),
        ),
        FINAL,
    ),
    'UniPCMultistepScheduler': Sampler(
        LINSPACE | dict(solver_order=2, final_sigmas_type='zero'),
        dict(spare_zero=True),
        SPACED
        | dict(
            disable_corrector=([],),
            predict_x0=(True,),
            solver_order=(2, 3),
            solver_type=('bh2',),
            thresholding=(False,),
        ),
        FINAL,
    ),
}
# What the original code of latent diffusion does, in both vocabularies.
DDIM = Sampling(
    'DDIMScheduler',
    dict(
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing='leading',
    ),
    dict(type='DDIM'),
    dict(type='DiffusersGrid', offset=1, to_clean=False),
)


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
        return dict(type='UniPC', order=max(keys['solver_order'], 2))
    if name == 'DPMSolverMultistepScheduler':
        order = keys['solver_order']
        stochastic = keys['algorithm_type'] == 'sde-dpmsolver++'
        solver = dict(type='DPMSolverPP', order=order, stochastic=stochastic)
        if order == 3 and not stochastic:
            solver['as_in_diffusers'] = True
        return solver
    return dict(
        type={
            'EulerDiscreteScheduler': 'Euler',
            'EulerAncestralDiscreteScheduler': 'EulerAncestral',
            'HeunDiscreteScheduler': 'Heun',
            'PNDMScheduler': 'PLMS',
        }[name]
    )


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
    length = scheduler.noise_schedule.num_timesteps
    spacings = ['leading', 'trailing', 'linspace']
    if sampler.steps_back:
        spacings = spacings[: 1 if length % scheduler.num_steps else 2]
    offset = getattr(grid, 'offset', 1)
    for spacing in spacings:
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
    if kind == 'PLMS':
        return 'PNDMScheduler', dict(skip_prk_steps=True), ()
    if kind in ('Euler', 'Heun') and not solver['churn']:
        return f'{kind}DiscreteScheduler', {}, ()
    if kind == 'EulerAncestral' and solver['eta'] == 1:
        return 'EulerAncestralDiscreteScheduler', {}, ()
    if kind == 'UniPC':
        return (
            'UniPCMultistepScheduler',
            dict(solver_order=solver['order']),
            (),
        )
    if kind == 'DPMSolverPP' and (
        solver['order'] < 3 or solver['as_in_diffusers']
    ):
        prefix = 'sde-' if solver['stochastic'] else ''
        return (
            'DPMSolverMultistepScheduler',
            dict(
                solver_order=solver['order'],
                algorithm_type=f'{prefix}dpmsolver++',
            ),
            (),
        )
    return None
