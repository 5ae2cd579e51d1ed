"""Our solvers and those in schedulers of diffusers, both ways."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmldm.diffusion import NoiseLevel
from mmldm.diffusion.solvers.dpm_solver import ExtrapolatingSolver
from mmldm.registry import DIFFUSION_SCHEDULERS

from .levels import arguments

Keys = Mapping[str, Any]
PLUS_PLUS = 'dpmsolver++'


def _clip(keys: Keys) -> dict[str, Any]:
    clips = keys.get('clip_sample', False) and 'clip_sample_range' in keys
    return dict(clip=keys['clip_sample_range']) if clips else {}


def _ddpm(keys: Keys) -> dict[str, Any]:
    large = keys['variance_type'] == 'fixed_large'
    return dict(type='DDPM', posterior=float(large), **_clip(keys))


def _multistep(keys: Keys) -> dict[str, Any]:
    order = keys['solver_order']
    stochastic = keys['algorithm_type'].startswith('sde')
    solver = dict(
        type='DPMSolverPP',
        order=order,
        stochastic=stochastic,
        lower_order_final=keys['lower_order_final'],
    )
    if order == 3 and not stochastic:
        solver['as_in_diffusers'] = True
    return solver


def _singlestep(keys: Keys) -> dict[str, Any]:
    if keys['solver_order'] == 1:
        return dict(type='DPMSolverPP', order=1)
    lower = keys['lower_order_final']
    return dict(type='DPMSolverSinglestep', lower_order_final=lower)


def _unipc(keys: Keys) -> dict[str, Any]:
    order = min(max(keys['solver_order'], 2), 3)
    lower = keys['lower_order_final']
    return dict(type='UniPC', order=order, lower_order_final=lower)


FROM: dict[str, Callable[[Keys], dict[str, Any]]] = {
    'DDIMScheduler': lambda keys: dict(type='DDIM', **_clip(keys)),
    'DDPMScheduler': _ddpm,
    'DPMSolverMultistepScheduler': _multistep,
    'DPMSolverSinglestepScheduler': _singlestep,
    'EulerAncestralDiscreteScheduler': lambda _: dict(type='EulerAncestral'),
    'EulerDiscreteScheduler': lambda _: dict(type='Euler'),
    'HeunDiscreteScheduler': lambda _: dict(type='Heun', coordinates='ve'),
    'PNDMScheduler': lambda _: dict(type='PLMS', coordinates='ve'),
    'UniPCMultistepScheduler': _unipc,
}


def solver_from_diffusers(name: str, keys: Keys) -> dict[str, Any]:
    """Config of our solver for a scheduler of diffusers.

    Args:
        name: Name of the scheduler.
        keys: Its complete config.
    """
    return FROM[name](keys)


def _clips(solver: Keys) -> dict[str, Any]:
    clip = solver['clip']
    if clip is None:
        return dict(clip_sample=False)
    return dict(clip_sample=True, clip_sample_range=clip)


def _variance(solver: Keys) -> dict[str, Any]:
    large = solver['posterior'] == 1
    return _clips(solver) | dict(
        variance_type='fixed_large' if large else 'fixed_small'
    )


def _orders(solver: Keys) -> dict[str, Any]:
    return dict(solver_order=solver['order'])


def _algorithm(solver: Keys) -> dict[str, Any]:
    prefix = 'sde-' if solver['stochastic'] else ''
    return _orders(solver) | dict(algorithm_type=f'{prefix}{PLUS_PLUS}')


# Scheduler, and its keys; solvers without counterpart show in their import.
TO: dict[str, tuple[str, Callable[[Keys], dict[str, Any]]]] = {
    'DDIM': ('DDIMScheduler', _clips),
    'DDPM': ('DDPMScheduler', _variance),
    'DPMSolverPP': ('DPMSolverMultistepScheduler', _algorithm),
    'DPMSolverSinglestep': ('DPMSolverSinglestepScheduler', _orders),
    'Euler': ('EulerDiscreteScheduler', lambda _: {}),
    'EulerAncestral': ('EulerAncestralDiscreteScheduler', lambda _: {}),
    'Heun': ('HeunDiscreteScheduler', lambda _: {}),
    'PLMS': ('PNDMScheduler', lambda _: dict(skip_prk_steps=True)),
    'UniPC': ('UniPCMultistepScheduler', _orders),
}


def solvers_to_diffusers(
    solver: Keys,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Schedulers of diffusers, with keys, that may equal a solver.

    Args:
        solver: Complete config of our solver.
    """
    if solver['type'] not in TO:
        return
    name, to_keys = TO[solver['type']]
    keys = to_keys(solver)
    if 'lower_order_final' not in solver:
        yield name, keys
        return
    lower = solver['lower_order_final']
    for value in (False, True) if lower is False else (True, False):
        yield name, keys | dict(lower_order_final=value)


def complete(solver: Keys) -> dict[str, Any]:
    """A config of ours, completed with the defaults of its class."""
    cls = DIFFUSION_SCHEDULERS.get(solver['type'])
    return arguments(cls, solver) | dict(type=cls.__name__)


def plan(solver: Keys, levels: Sequence[NoiseLevel]) -> dict[str, Any]:
    """The steps of a solver on some levels, equal for equal samples.

    The result has the solver's arguments, with the orders of its steps for
    ``lower_order_final``, and without DDIM's eta, an argument of the call
    in diffusers.
    """
    done = complete(solver)
    built = DIFFUSION_SCHEDULERS.build(dict(solver))
    if isinstance(built, ExtrapolatingSolver):
        done['lower_order_final'] = [
            _order(built, levels, i) for i in range(len(levels) - 1)
        ]
    if done['type'] == 'DDIM':
        del done['eta']
    return done


def _order(
    solver: ExtrapolatingSolver, levels: Sequence[NoiseLevel], i: int
) -> int:
    """The order of step i; a step to the clean level always has order 1."""
    if levels[i + 1].sigma == 0:
        return 1
    past = [(level, level.alpha) for level in reversed(levels[: i + 1])]
    return len(solver.usable(past[: solver.order], levels, i))
