"""The diffusion process of the original code of Rombach et al. 2022.

``ldm/models/diffusion/ddpm.py`` as ours; names and defaults are those of
github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Mapping
from typing import Any

# Arguments that say how noise is added and what is learned of it.
DEFAULTS: dict[str, Any] = dict(
    beta_schedule='linear',
    cosine_s=8e-3,
    given_betas=None,
    l_simple_weight=1.0,
    linear_end=2e-2,
    linear_start=1e-4,
    loss_type='l2',
    original_elbo_weight=0.0,
    parameterization='eps',
    timesteps=1000,
)
# 'linear' there means linear in the square roots.
BETAS = {
    'linear': 'ScaledLinearBetas',
    'sqrt_linear': 'LinearBetas',
    'sqrt': 'SqrtBetas',
}
PREDICTIONS = {
    'eps': 'EpsilonPrediction',
    'x0': 'SamplePrediction',
    'v': 'VelocityPrediction',
}
LOSSES = {'l1': 'L1Loss', 'l2': 'L2Loss'}
# The original's sampler; tools/benchmarks/README.md has faster ones.
SAMPLING = dict(
    time_grid=dict(type='CompVisGrid'), solver=dict(type='DDIM', eta=0.0)
)
MOST_STEPS = 50


def diffusion_scheduler_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The diffusion scheduler that a config of the original describes.

    Args:
        original: ``params`` of a ``LatentDiffusion`` of the original; what
            it does not say has the original's default.

    Raises:
        ValueError: If a value asks for what is not known.
    """
    params = DEFAULTS | {k: original[k] for k in DEFAULTS if k in original}
    return dict(
        type='DiffusionScheduler',
        noise_schedule=_noise_schedule(params),
        prediction=_choose(params, 'parameterization', PREDICTIONS),
        loss_function=_choose(params, 'loss_type', LOSSES),
        loss_weighting=_loss_weighting(params),
        timestep_sampler=dict(type='UniformTimesteps'),
        **SAMPLING,
        num_steps=_num_steps(params),
    )


def _num_steps(params: Mapping[str, Any]) -> int:
    """The most, up to 50, that the original can be asked for.

    It may run a few more, and fails where its grid, which is 1 too late,
    leaves the schedule.

    Raises:
        ValueError: If there are too few time steps for any.
    """
    length = params['timesteps']
    if params['given_betas'] is not None:
        length = len(params['given_betas'])
    if length < 2:
        raise ValueError(
            f'params.timesteps or given_betas say {length} time steps, but '
            'the original samples from two on'
        )
    below = range(1, min(MOST_STEPS, length - 1) + 1)
    return max(n for n in below if (length - 1) % (length // n))


def _choose(
    params: Mapping[str, Any], key: str, types: Mapping[str, str]
) -> dict[str, Any]:
    value = params[key]
    if value not in types:
        raise ValueError(
            f'params.{key}={value!r} is not known: only '
            f'{", ".join(map(repr, types))} are'
        )
    return dict(type=types[value])


def _noise_schedule(params: Mapping[str, Any]) -> dict[str, Any]:
    if params['given_betas'] is not None:
        return dict(type='GivenBetas', betas=list(params['given_betas']))
    length = params['timesteps']
    if params['beta_schedule'] == 'cosine':
        return dict(
            type='CosineSchedule',
            offset=params['cosine_s'],
            num_timesteps=length,
        )
    return dict(
        **_choose(params, 'beta_schedule', BETAS),
        start=params['linear_start'],
        end=params['linear_end'],
        num_timesteps=length,
    )


def _loss_weighting(params: Mapping[str, Any]) -> dict[str, Any]:
    """Uniform where, as in all published models, the bound counts nothing."""
    simple, bound = params['l_simple_weight'], params['original_elbo_weight']
    if (simple, bound) == (1, 0):
        return dict(type='UniformWeighting')
    return dict(
        type='VariationalWeighting', vlb_weight=bound, simple_weight=simple
    )
