"""Every way of sampling, out and in: it draws the same, or a note says not."""

import inspect
import os
from collections import Counter
from itertools import product

import diffusers
import pytest
import torch

from mmldm.converters.diffusers.process import (
    scheduler_from_diffusers,
    scheduler_to_diffusers,
)
from mmldm.registry import DIFFUSION_SCHEDULERS

from .paths import OwnStart, Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore'),
]
# Of the largest value; theirs are partly in float32.
NEAR = 1e-3
# MMLDM_SWEEP=1 takes every number of steps with every combination of the
# rest; else they take turns.
SWEEP = os.environ.get('MMLDM_SWEEP') == '1'

SOLVERS = [
    dict(type='DDIM'),
    dict(type='DDIM', clip=1.0),
    dict(type='DDPM'),
    dict(type='DDPM', posterior=1.0),
    dict(type='PLMS'),
    dict(type='PLMS', coordinates='ve'),
    dict(type='Euler'),
    dict(type='EulerAncestral'),
    dict(type='Heun'),
    dict(type='Heun', coordinates='ve'),
    dict(type='DPMSolverPP', order=1),
    dict(type='DPMSolverPP', order=2),
    dict(type='DPMSolverPP', order=2, lower_order_final=True),
    dict(type='DPMSolverPP', order=2, stochastic=True),
    dict(type='DPMSolverPP', order=3),
    dict(
        type='DPMSolverPP',
        order=3,
        as_in_diffusers=True,
        lower_order_final=True,
    ),
    dict(type='UniPC', order=2),
    dict(type='UniPC', order=2, lower_order_final=False),
    dict(type='UniPC', order=3),
    dict(type='UniPC', order=3, lower_order_final=True),
    dict(type='IPNDM', order=3),
]
GRIDS = [
    dict(type='EqualErrorGrid'),
    dict(type='LogSNRGrid'),
    dict(type='KarrasGrid'),
    dict(type='LeadingGrid'),
    dict(type='TrailingGrid'),
    dict(type='CompVisGrid'),
    *(
        dict(
            type='DiffusersGrid', spacing=spacing, to_clean=to_clean, **options
        )
        for spacing, to_clean, options in product(
            ('leading', 'linspace', 'trailing'),
            (True, False),
            ({}, dict(rounded=False), dict(spare_zero=True)),
        )
    ),
    dict(type='DiffusersGrid', spacing='leading', offset=1),
]


def name(value):
    return '-'.join(map(str, value.values()))


def with_steps(combinations, numbers):
    """(combination, number of steps)."""
    for i, combination in enumerate(combinations):
        turn = i % len(numbers)
        for number in numbers if SWEEP else numbers[turn : turn + 1]:
            yield combination, number


def distance(ours, theirs):
    error = (ours - theirs).abs().max() / ours.abs().max().clamp(min=1)
    return error.nan_to_num(torch.inf).item()


@pytest.mark.parametrize('solver', SOLVERS, ids=name)
def test_what_is_exported_draws_the_same_or_is_noted(solver, monkeypatch):
    found = Counter()
    combinations = [
        *product(('EpsilonPrediction', 'VelocityPrediction'), GRIDS)
    ]
    for (prediction, grid), num_steps in with_steps(combinations, (10, 20)):
        config = dict(
            type='DiffusionScheduler',
            noise_schedule=dict(
                type='ScaledLinearBetas', start=0.0015, end=0.0195
            ),
            prediction=dict(type=prediction),
            loss_weighting=dict(type='UniformWeighting'),
            timestep_sampler=dict(type='UniformTimesteps'),
            time_grid=grid,
            solver=solver,
            num_steps=num_steps,
        )
        keys, notes = scheduler_to_diffusers(config)
        if notes:
            found['noted'] += 1
            continue
        kind = getattr(diffusers, keys.pop('_class_name'))
        error = distance(
            OwnStart().ours(DIFFUSION_SCHEDULERS.build(config)),
            OwnStart().theirs(kind(**keys), num_steps, monkeypatch),
        )
        assert error < NEAR, (grid, num_steps, prediction)
        found['same'] += 1
    assert sum(found.values()) >= len(combinations)
    if name(solver) not in NOT_THERE:
        assert found['same'] >= 4


# They, or these options of theirs, are not in diffusers.
NOT_THERE = {
    'PLMS',
    'Heun',
    'DPMSolverPP-3',
    'UniPC-3',
    'IPNDM-3',
    'DPMSolverPP-1',
    'DPMSolverPP-2',
    'DPMSolverPP-2-True',
    'UniPC-2',
}

SPACINGS = [
    dict(timestep_spacing='leading'),
    dict(timestep_spacing='leading', steps_offset=1),
    dict(timestep_spacing='linspace'),
    dict(timestep_spacing='trailing'),
]
RAW = dict(clip_sample=False)
ORDERS = [
    dict(solver_order=order, lower_order_final=lower, final_sigmas_type=final)
    for order, lower, final in product(
        (1, 2, 3), (True, False), ('zero', 'sigma_min')
    )
]
SDE = dict(algorithm_type='sde-dpmsolver++')
KINDS = {
    'DDIMScheduler': [
        {},
        RAW,
        RAW | dict(set_alpha_to_one=False),
        dict(clip_sample_range=0.5),
        dict(thresholding=True),
    ],
    'DDPMScheduler': [
        {},
        *(
            RAW | dict(variance_type=f'fixed_{kind}')
            for kind in ('large', 'small_log', 'large_log')
        ),
    ],
    'PNDMScheduler': [
        {},
        dict(skip_prk_steps=True),
        dict(skip_prk_steps=True, set_alpha_to_one=True),
    ],
    'EulerDiscreteScheduler': [
        {},
        dict(final_sigmas_type='sigma_min'),
        dict(interpolation_type='log_linear'),
        dict(use_karras_sigmas=True),
        dict(use_exponential_sigmas=True),
        dict(use_beta_sigmas=True),
        dict(timestep_type='continuous'),
    ],
    'EulerAncestralDiscreteScheduler': [{}],
    'HeunDiscreteScheduler': [
        {},
        dict(use_karras_sigmas=True),
        dict(clip_sample=True),
        dict(use_exponential_sigmas=True),
    ],
    'DPMSolverMultistepScheduler': [
        *ORDERS,
        SDE,
        SDE | dict(solver_order=3),
        dict(euler_at_final=True),
        dict(solver_type='heun'),
        dict(use_karras_sigmas=True),
        dict(use_lu_lambdas=True),
        dict(lambda_min_clipped=-5.1),
        dict(thresholding=True),
        dict(algorithm_type='dpmsolver', final_sigmas_type='sigma_min'),
    ],
    'UniPCMultistepScheduler': [
        *ORDERS,
        dict(solver_type='bh1'),
        dict(predict_x0=False),
        dict(disable_corrector=[0]),
        dict(use_karras_sigmas=True),
    ],
    'DPMSolverSinglestepScheduler': [{}, dict(solver_order=3), SDE],
    'DEISMultistepScheduler': [{}],
    'EDMEulerScheduler': [{}],
    'EDMDPMSolverMultistepScheduler': [{}],
    'KDPM2DiscreteScheduler': [{}],
    'LCMScheduler': [{}],
    'LMSDiscreteScheduler': [{}],
    'SASolverScheduler': [{}],
}
BETAS = dict(beta_schedule='scaled_linear', beta_start=0.0015, beta_end=0.0195)
PREDICTIONS = [
    dict(prediction_type='epsilon'),
    dict(prediction_type='v_prediction'),
    dict(prediction_type='v_prediction', rescale_betas_zero_snr=True),
]
# Those that ours has, whose usual ways are drawn the same.
KNOWN = [*KINDS][:9]


@pytest.mark.parametrize('kind', KINDS)
def test_what_is_imported_draws_the_same_or_is_noted(kind, monkeypatch):
    cls = getattr(diffusers, kind)
    taken = inspect.signature(cls).parameters
    found = Counter()
    combinations = [
        BETAS | options | spacing | prediction
        for options, spacing, prediction in product(
            KINDS[kind], SPACINGS, PREDICTIONS
        )
        if not prediction.keys() - taken.keys()
    ]
    for keys, num_steps in with_steps(combinations, (10, 20, 30)):
        keys = {key: value for key, value in keys.items() if key in taken}
        theirs = dict(cls(**keys).config) | dict(_class_name=kind)
        try:
            config, notes = scheduler_from_diffusers(theirs, num_steps)
        except ValueError:
            found['refused'] += 1
            continue
        ours = Path().ours(DIFFUSION_SCHEDULERS.build(config))
        assert ours.isfinite().all(), (keys, num_steps)
        if notes:
            found['noted'] += 1
            continue
        drawn = Path().theirs(cls(**keys), num_steps, monkeypatch)
        assert distance(ours, drawn) < NEAR, (keys, num_steps)
        found['same'] += 1
    assert sum(found.values()) >= len(combinations)
    assert (found['same'] >= 4) == (kind in KNOWN)
