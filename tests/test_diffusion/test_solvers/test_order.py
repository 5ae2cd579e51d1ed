"""Halving the steps divides the error by 2 to the solver's order.

Multistep solvers begin with steps of low order. They are measured from a level
so noisy that these do not count: the estimate hardly changes there.
"""

import math

import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    IPNDM,
    PLMS,
    CosineSchedule,
    DPMSolverPP,
    DPMSolverSinglestep,
    Euler,
    EulerAncestral,
    Heun,
    RectifiedFlow,
    ScaledLinearBetas,
    UniPC,
)


def refuse_noise(z):
    raise AssertionError('a deterministic solver drew noise')


@pytest.fixture(scope='module')
def exact():
    """The ends of paths from nine points; each is computed once."""
    known = {}

    def exact(problem, z, start, end):
        ends = type(problem), float(start.log_snr), float(start.alpha)
        if ends not in known:
            known[ends] = problem.flow(z, start, end)
        return known[ends]

    return exact


@pytest.fixture(params=['gaussian', 'mixture'])
def problem(request):
    return request.getfixturevalue(request.param)


# Latent diffusion's own betas end before log-SNR is -12.
@pytest.fixture(params=[ScaledLinearBetas(end=0.05), RectifiedFlow()])
def schedule(request):
    return request.param


@pytest.fixture
def observed_order(problem, exact):
    def observed_order(solver, coarse, fine):
        z_T = torch.linspace(-2, 2, 9, dtype=torch.float64)
        if hasattr(problem, 'axes'):  # in the plane
            z_T = torch.stack([z_T, z_T.roll(4)], dim=1)
        truth = exact(problem, z_T, coarse[0], coarse[-1])
        first, second = (
            (solver(problem.denoise, z_T, levels, refuse_noise) - truth).norm()
            for levels in (coarse, fine)
        )
        return math.log2(first / second)

    return observed_order


@pytest.mark.parametrize(
    'solver, order',
    [
        (DDIM(), 1),
        (EulerAncestral(eta=0.0), 1),
        (Euler(), 1),
        (Heun(), 2),
        (DPMSolverPP(1), 1),
        (DPMSolverPP(2), 2),
        (DPMSolverPP(3), 3),
        # The corrector adds one to the order of the predictor.
        (UniPC(2), 3),
        (UniPC(3), 4),
        (DPMSolverSinglestep(2), 2),
        (DPMSolverSinglestep(3), 3),
        (Heun(coordinates='ve'), 2),
    ],
)
def test_order_in_equal_steps_of_log_snr(
    solver, order, schedule, levels_by_log_snr, observed_order
):
    observed = observed_order(
        solver,
        levels_by_log_snr(schedule, -12, 4, 128),
        levels_by_log_snr(schedule, -12, 4, 256),
    )
    assert observed == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize(
    'solver, order',
    [
        *((IPNDM(order), order) for order in (1, 2, 3, 4)),
        (PLMS(coordinates='ve'), 4),
    ],
)
def test_order_in_equal_steps_of_sigma_over_alpha(
    solver, order, schedule, levels_by_ratio, observed_order
):
    observed = observed_order(
        solver,
        levels_by_ratio(schedule, 10, 0.4, 300),
        levels_by_ratio(schedule, 10, 0.4, 600),
    )
    assert observed == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize(
    'solver, order',
    [
        (IPNDM(1, 'flow'), 1),
        # What is left of the first step, which is Euler's.
        *((IPNDM(order, 'flow'), 2) for order in (2, 3, 4)),
        (PLMS(), 3),
        (Heun(), 2),
    ],
)
def test_order_in_equal_steps_of_straight_paths(
    solver, order, schedule, levels_by_share, observed_order
):
    observed = observed_order(
        solver,
        levels_by_share(schedule, 0.95, 0.3, 200),
        levels_by_share(schedule, 0.95, 0.3, 400),
    )
    assert observed == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize('problem', ['correlated'], indirect=True)
@pytest.mark.parametrize(
    'schedule', [CosineSchedule(), RectifiedFlow()], indirect=True
)
@pytest.mark.parametrize(
    'solver, order',
    [
        (DDIM(), 1),
        (Euler(), 1),
        (EulerAncestral(eta=0.0), 1),
        (Heun(), 2),
        # Their coefficients are those of equal steps, which these are not in
        # sigma / alpha nor in its share: whatever their order, 2 remains.
        *((IPNDM(order), 2) for order in (2, 3, 4)),
        *((IPNDM(order, 'flow'), 2) for order in (2, 3, 4)),
        (PLMS(), 2),
        (DPMSolverPP(2), 2),
        (DPMSolverPP(3), 3),
        (DPMSolverSinglestep(2), 2),
        (DPMSolverSinglestep(3), 3),
        (UniPC(2), 3),
        (UniPC(3), 4),
    ],
)
def test_order_from_the_very_start(
    solver, order, schedule, levels_by_log_snr, observed_order
):
    """Unequal, correlated covariances; log-SNR of -19.8 on the cosine's."""
    first = float(schedule(schedule.last).log_snr)
    observed = observed_order(
        solver,
        levels_by_log_snr(schedule, first, 4, 160),
        levels_by_log_snr(schedule, first, 4, 320),
    )
    assert observed == pytest.approx(order, abs=0.3)
