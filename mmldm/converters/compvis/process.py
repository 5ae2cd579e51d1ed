"""The diffusion process of the original code of Rombach et al. 2022.

Converts ``ldm/models/diffusion/ddpm.py``; names and defaults are those of
github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS

from ..key_table import Given, Key, KeyTable
from ..kinds import COUNT, NUMBER, POSITIVE, WORD, either, list_of
from .params import PARAMS, REMEDY

# 'linear' of the original means linear in the square roots.
BETAS = {
    'linear': 'ScaledLinearBetas',
    'sqrt_linear': 'LinearBetas',
    'sqrt': 'SqrtBetas',
    'cosine': 'CosineSchedule',
}
PREDICTIONS = {
    'eps': 'EpsilonPrediction',
    'x0': 'SamplePrediction',
    'v': 'VelocityPrediction',
}
LOSSES = {'l1': 'L1Loss', 'l2': 'L2Loss'}
# Keys of the noise schedule and of the training objective.
PROCESS = (
    # Ignored if there are given_betas.
    Key('beta_schedule', '', WORD, 'linear'),
    Key('cosine_s', '', POSITIVE, 8e-3),
    Key('given_betas', '', either(list_of(NUMBER, least=0), None), None),
    Key('l_simple_weight', '', NUMBER, 1.0),
    Key('linear_end', '', POSITIVE, 2e-2),
    Key('linear_start', '', POSITIVE, 1e-4),
    Key('loss_type', 'loss_function.type', WORD, 'l2', LOSSES),
    Key('original_elbo_weight', '', NUMBER, 0.0),
    Key('parameterization', 'prediction.type', WORD, 'eps', PREDICTIONS),
    Key('timesteps', '', COUNT, 1000),
)
TABLE = KeyTable(*PROCESS, remedy=REMEDY, strict=False)
CUMULATIVE = 'alphas_cumprod'
# Tables that follow from the config.
SCHEDULE = {
    CUMULATIVE,
    'alphas_cumprod_prev',
    'betas',
    'log_one_minus_alphas_cumprod',
    'lvlb_weights',
    'posterior_log_variance_clipped',
    'posterior_mean_coef1',
    'posterior_mean_coef2',
    'posterior_variance',
    'sqrt_alphas_cumprod',
    'sqrt_one_minus_alphas_cumprod',
    'sqrt_recip_alphas_cumprod',
    'sqrt_recipm1_alphas_cumprod',
}
# The original's sampler; tools/benchmarks/README.md has faster ones.
SAMPLING = dict(
    time_grid=dict(type='CompVisGrid'), solver=dict(type='DDIM', eta=0.0)
)
MOST_STEPS = 50


def diffusion_scheduler_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The config of our diffusion scheduler for a config of the original.

    Args:
        original: ``params`` of a ``LatentDiffusion`` of the original.
            Missing keys have the original's defaults.

    Raises:
        ValueError: If a value is unknown.
    """
    params = TABLE.read(PARAMS, original)
    return dict(
        type='DiffusionScheduler',
        **params.ours,
        noise_schedule=_noise_schedule(params),
        loss_weighting=_loss_weighting(params),
        timestep_sampler=dict(type='UniformTimesteps'),
        **SAMPLING,
        num_steps=_num_steps(params),
    )


def _num_steps(params: Mapping[str, Any]) -> int:
    """The largest number of steps, up to 50, that the original can use.

    The original may run a few more steps, and fails if its grid, which is 1
    too late, leaves the schedule.

    Raises:
        ValueError: If there are too few time steps for any number.
    """
    length = params['timesteps']
    if params['given_betas'] is not None:
        length = len(params['given_betas'])
    if length < 2:
        raise ValueError(
            f'params.timesteps or given_betas give {length} time steps, but '
            'the original needs two or more'
        )
    below = range(1, min(MOST_STEPS, length - 1) + 1)
    return max(n for n in below if (length - 1) % (length // n))


def _noise_schedule(params: Given) -> dict[str, Any]:
    if params['given_betas'] is not None:
        return dict(type='CustomBetas', betas=list(params['given_betas']))
    kind = params['beta_schedule']
    if kind not in BETAS:
        only = ', '.join(map(repr, BETAS))
        raise params.refusal(
            'beta_schedule', f'has no counterpart here: only {only} have'
        )
    schedule = dict(type=BETAS[kind], num_timesteps=params['timesteps'])
    if kind == 'cosine':
        return schedule | dict(offset=params['cosine_s'])
    return schedule | dict(
        start=params['linear_start'], end=params['linear_end']
    )


def _loss_weighting(params: Mapping[str, Any]) -> dict[str, Any]:
    """Uniform weights if the bound has weight 0, as in published models."""
    simple, bound = params['l_simple_weight'], params['original_elbo_weight']
    if (simple, bound) == (1, 0):
        return dict(type='UniformWeighting')
    return dict(
        type='VariationalWeighting', vlb_weight=bound, simple_weight=simple
    )


def check_schedule(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> None:
    """Raise unless the checkpoint was trained with the config's schedule."""
    if CUMULATIVE not in weights:
        return
    found = weights[CUMULATIVE]
    schedule = DIFFUSION_SCHEDULERS.build(dict(config))
    times = torch.arange(schedule.num_timesteps)
    expected = schedule(times).alpha.square()
    if found.shape != expected.shape or not _same(found, expected):
        least = f' down to {found.min():.3g}' if found.numel() else ''
        raise ValueError(
            f'{CUMULATIVE} of the checkpoint has {found.numel()} values'
            f'{least}, that of the config {len(expected)} down to '
            f'{expected.min():.3g}: it was trained with other values of '
            'params.timesteps, linear_start or linear_end; take its own yaml '
            'file'
        )


def _same(found: Tensor, expected: Tensor) -> bool:
    """Whether they are equal up to rounding to half or single precision."""
    limits = torch.finfo(found.dtype)
    return torch.allclose(
        found.double(),
        expected,
        rtol=max(1e-4, limits.eps),
        atol=limits.smallest_normal * limits.eps,
    )
