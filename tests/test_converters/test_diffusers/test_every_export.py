"""Every solver on every grid, there and here: the same, or noted."""

import logging
from collections import Counter
from itertools import product

import pytest

from mmldm.converters import scheduler_to_diffusers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore::Warning'),
]
LOWERED = [{}, dict(lower_order_final=True), dict(lower_order_final=False)]
SOLVERS = [
    dict(type='DDIM'),
    dict(type='DDIM', eta=0.5),
    dict(type='DDIM', clip=1.0),
    *[dict(type='DDPM', posterior=share) for share in (0.0, 0.5, 1.0)],
    dict(type='DDPM', clip=1.0),
    dict(type='EulerAncestral'),
    dict(type='EulerAncestral', eta=0.5),
    dict(type='Euler'),
    dict(type='Euler', churn=1.0),
    dict(type='Heun'),
    dict(type='Heun', coordinates='ve'),
    dict(type='Heun', coordinates='ve', churn=1.0),
    *[dict(type='IPNDM', order=order) for order in (1, 3, 4)],
    dict(type='PLMS'),
    dict(type='PLMS', coordinates='ve'),
    *[
        dict(type='DPMSolverPP', order=order, stochastic=sde, **lowered)
        for order in (1, 2, 3)
        for sde in (False, True)
        for lowered in LOWERED
    ],
    *[
        dict(type='DPMSolverPP', order=3, as_in_diffusers=True, **lowered)
        for lowered in LOWERED
    ],
    *[
        dict(type=kind, order=order, **lowered)
        for kind in ('UniPC', 'DPMSolverSinglestep')
        for order in (2, 3)
        for lowered in LOWERED
    ],
]
GRIDS = [
    dict(type='LeadingGrid'),
    dict(type='LeadingGrid', offset=0),
    dict(type='LeadingGrid', unit_start=True),
    dict(type='TrailingGrid'),
    dict(type='LinspaceGrid'),
    dict(type='LogSNRGrid'),
    dict(type='KarrasGrid'),
    dict(type='BetaGrid'),
    dict(type='CompVisGrid'),
    *[
        dict(type='DiffusersGrid', spacing=spacing, **options)
        for spacing in ('leading', 'linspace', 'trailing')
        for options in (
            dict(),
            dict(to_clean=False),
            dict(spare_zero=True),
            dict(spare_zero=True, to_clean=False),
            dict(rounded=False, unit_start=False),
        )
    ],
    dict(type='DiffusersGrid', offset=1),
    dict(
        type='DiffusersSigmas',
        measure=dict(type='KarrasGrid'),
        ends=dict(type='DiffusersGrid', spacing='linspace', rounded=False),
        unit_start=False,
    ),
    *[
        dict(
            type='DiffusersSigmas',
            measure=dict(type=measure),
            times=times,
            to_clean=clean,
        )
        for measure, times in (
            ('KarrasGrid', 'rounded'),
            ('LogSNRGrid', 'rounded'),
            ('LogSNRGrid', 'floored'),
            ('BetaGrid', 'floored'),
        )
        for clean in (True, False)
    ],
]
# DDIM by another name: where they are not in diffusers, what is said to
# draw the same may draw what this model does.
FIRST_ORDER = ({'Euler', 'EulerAncestral'}, {'IPNDM', 'DPMSolverPP'})

COUNTERPARTS = {
    'DDIMScheduler',
    'DDPMScheduler',
    'DPMSolverMultistepScheduler',
    'DPMSolverSinglestepScheduler',
    'EulerAncestralDiscreteScheduler',
    'EulerDiscreteScheduler',
    'HeunDiscreteScheduler',
    'PNDMScheduler',
    'UniPCMultistepScheduler',
}


def scheduler(solver, grid, num_steps, prediction):
    return dict(
        type='DiffusionScheduler',
        noise_schedule=dict(type='ScaledLinearBetas'),
        prediction=dict(type=prediction),
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=grid,
        solver=solver,
        num_steps=num_steps,
    )


def is_first_order(solver):
    always, of_order_1 = FIRST_ORDER
    kind, order = solver['type'], solver.get('order', 2)
    return kind in always or (kind in of_order_1 and order == 1)


def test_what_is_not_noted_is_drawn_the_same(side_by_side):
    """And what is drawn the same is not noted, but for what is in the call.

    Within 1e-3 of the largest value, from the start of each.
    """
    logging.disable(logging.WARNING)  # of diffusers
    counts, silent, needless = Counter(), [], []
    for solver, grid, num_steps, prediction in product(
        SOLVERS,
        GRIDS,
        (10, 20),
        ('EpsilonPrediction', 'VelocityPrediction'),
    ):
        config = scheduler(solver, grid, num_steps, prediction)
        theirs, notes = scheduler_to_diffusers(config)
        eta = solver.get('eta', 0) if solver['type'] == 'DDIM' else 0
        by_ddim = theirs['_class_name'] == 'DDIMScheduler'
        if notes and (num_steps, prediction[0]) != (10, 'E'):
            continue  # one of four is enough
        off = side_by_side.off(
            side_by_side.ours(config, num_steps),
            side_by_side.theirs(
                theirs,
                config,
                num_steps,
                **(dict(eta=eta) if eta and by_ddim else {}),
            ),
        )
        said = any(note.startswith('eta=') for note in notes)
        if not notes or said:
            counts[theirs['_class_name']] += 1
            if not off < 1e-3:
                silent.append((off, theirs['_class_name'], config))
        elif off < 1e-3 and not is_first_order(solver):
            needless.append(config)
    logging.disable(logging.NOTSET)
    assert silent == []
    assert needless == []
    # Of the schedulers there, each is found where it draws the same.
    assert {kind for kind, n in counts.items() if n >= 8} == COUNTERPARTS
    assert counts.total() > 1000
