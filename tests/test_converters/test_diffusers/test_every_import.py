"""Every scheduler of diffusers, here: the same, or noted, or refused."""

import logging
from collections import Counter
from itertools import product

import pytest

from mmldm.converters import scheduler_from_diffusers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore::Warning'),
]
BETAS = dict(beta_schedule='scaled_linear', beta_start=0.00085, beta_end=0.012)
SPACINGS = [
    dict(timestep_spacing='leading'),
    dict(timestep_spacing='leading', steps_offset=1),
    dict(timestep_spacing='linspace'),
    dict(timestep_spacing='trailing'),
]
SIGMAS = [
    dict(),
    dict(use_karras_sigmas=True),
    dict(use_exponential_sigmas=True),
    dict(use_beta_sigmas=True),
]
FINAL = [dict(), dict(final_sigmas_type='sigma_min')]
CLEAN = [dict(set_alpha_to_one=True), dict(set_alpha_to_one=False)]
LOWERED = [dict(lower_order_final=True), dict(lower_order_final=False)]
ORDERS = [dict(solver_order=order) for order in (1, 2, 3)]
ALGORITHMS = [dict(), dict(algorithm_type='sde-dpmsolver++')]
VARIANCES = ('fixed_small', 'fixed_small_log', 'fixed_large', 'learned')
# By scheduler: each of the first list with each of the second, and so on; and
# how many of them are the same as ours, without a note.
OPTIONS = {
    'DDIMScheduler': (
        [SPACINGS, CLEAN, [dict(clip_sample=False), {}]]
        + [[{}, dict(thresholding=True)]],
        48,
    ),
    'DDPMScheduler': (
        [SPACINGS, [dict(clip_sample=False), {}]]
        + [[dict(variance_type=kind) for kind in VARIANCES]],
        120,
    ),
    'PNDMScheduler': (
        [SPACINGS, CLEAN]
        + [[dict(skip_prk_steps=True), dict(skip_prk_steps=False)]],
        12,
    ),
    'EulerDiscreteScheduler': (
        [SPACINGS, SIGMAS, FINAL]
        + [[{}, dict(interpolation_type='log_linear'), dict(sigma_max=9.0)]],
        96,
    ),
    'EulerAncestralDiscreteScheduler': ([SPACINGS], 24),
    'HeunDiscreteScheduler': (
        [SPACINGS, SIGMAS, [{}, dict(clip_sample=True)]],
        96,
    ),
    'DPMSolverMultistepScheduler': (
        [SPACINGS[1:], [*SIGMAS, dict(use_lu_lambdas=True)]]
        + [FINAL, LOWERED, ORDERS, ALGORITHMS],
        800,
    ),
    'DPMSolverSinglestepScheduler': (
        [SIGMAS, FINAL, LOWERED, ORDERS]
        + [[dict(), dict(solver_type='heun')]],
        192,
    ),
    'UniPCMultistepScheduler': (
        [SPACINGS[1:], SIGMAS, FINAL, LOWERED, ORDERS],
        370,
    ),
    'LMSDiscreteScheduler': ([SPACINGS], 0),
    'DEISMultistepScheduler': ([SPACINGS], 0),
    'KDPM2DiscreteScheduler': ([SPACINGS], 0),
    'EDMEulerScheduler': ([[{}]], 0),
}
REFUSED = ('DDIMScheduler', 'EDMEulerScheduler')
# Numbers of steps, of which 10 alone divides 1000.
STEPS = (10, 15, 23)


def contents(kind, lists):
    """Files of a scheduler, in both predictions."""
    betas = {} if kind.startswith('EDM') else BETAS
    for prediction in ('epsilon', 'v_prediction'):
        for options in product(*lists):
            content = dict(_class_name=kind, prediction_type=prediction)
            content |= betas
            for option in options:
                content |= option
            yield content


@pytest.mark.parametrize('kind', OPTIONS)
def test_what_is_not_noted_is_drawn_the_same(kind, side_by_side):
    """Within 1e-3 of the largest value; and no path is without numbers."""
    logging.disable(logging.WARNING)  # of diffusers
    lists, expected = OPTIONS[kind]
    counts, silent = Counter(), []
    for content in contents(kind, lists):
        try:
            config, notes = scheduler_from_diffusers(content)
        except ValueError:
            counts['refused'] += 1
            continue
        for num_steps in STEPS:
            ours = side_by_side.ours(config, num_steps)
            assert ours.isfinite().all(), content
            if notes:
                continue
            theirs = side_by_side.theirs(content, config, num_steps)
            off = side_by_side.off(ours, theirs)
            counts['same'] += off < 1e-3
            if not off < 1e-3:
                silent.append((off, num_steps, content))
    logging.disable(logging.NOTSET)
    assert silent == []
    assert counts['same'] >= expected
    assert (counts['refused'] > 0) == (kind in REFUSED)
