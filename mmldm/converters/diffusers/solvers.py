"""Solvers of ours and of diffusers' schedulers, both ways."""

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
    """Config of our solver.

    Args:
        name: A scheduler there.
        keys: Of its config, none left out.
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


# Scheduler, and its keys; what they cannot say is found by their import.
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
    """Schedulers there, and their keys, that may solve as this one.

    Args:
        solver: Ours, no argument left out.
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
    """A config of ours with the defaults of its class filled in."""
    cls = DIFFUSION_SCHEDULERS.get(solver['type'])
    return arguments(cls, solver) | dict(type=cls.__name__)


def plan(solver: Keys, levels: Sequence[NoiseLevel]) -> dict[str, Any]:
    """What a solver does on these levels: two with the same draw the same.

    Its arguments, but for ``lower_order_final`` the orders of its steps, and
    without eta of DDIM, which diffusers is told in the call.
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
    """The order of step i; to the clean level it is always 1."""
    if levels[i + 1].sigma == 0:
        return 1
    past = [(level, level.alpha) for level in reversed(levels[: i + 1])]
    return len(solver.usable(past[: solver.order], levels, i))
