import math

import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    DPMSolverPP,
    Heun,
    LogSNRGrid,
    RectifiedFlow,
    ScaledLinearBetas,
    invert,
    keep_known,
    last_levels,
)

SCHEDULES = pytest.mark.parametrize(
    'schedule', [ScaledLinearBetas(), RectifiedFlow()]
)


@SCHEDULES
@pytest.mark.parametrize(
    'solver', [DDIM(), DDIM(eta=1.0), Heun(), DPMSolverPP()]
)
def test_the_known_region_ends_at_what_is_known(solver, schedule, gaussian):
    levels = LogSNRGrid()(schedule, 7)
    z_known, z_T = torch.randn(2, 3, 4, 5, 5, dtype=torch.float64)
    mask = torch.rand(3, 1, 5, 5) < 0.5
    z = solver(keep_known(gaussian.denoise, z_known, mask), z_T, levels)
    free = solver(gaussian.denoise, z_T, levels)
    mask = mask.expand(-1, 4, -1, -1)
    torch.testing.assert_close(z[mask], z_known[mask])
    # Here positions do not know each other.
    if solver.__dict__.get('eta', 0) == 0:
        torch.testing.assert_close(z[~mask], free[~mask])


@pytest.mark.parametrize(
    'strength, steps',
    [(1, 10), (0.94, 9), (0.5, 5), (0.24, 2), (0.06, 1), (1e-6, 1)],
)
def test_strength_is_the_share_of_steps(strength, steps):
    levels = LogSNRGrid()(ScaledLinearBetas(), 10)
    assert last_levels(levels, strength) == levels[10 - steps :]


@pytest.mark.parametrize('strength', [0, -0.5, 1.1])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(
        ValueError, match=rf'={strength} must be in \(0, 1\]: near 0'
    ):
        last_levels(LogSNRGrid()(ScaledLinearBetas(), 10), strength)


def grid(schedule, num_steps):
    """Both ends fixed, as an order wants it."""
    log_snr = torch.linspace(-4, 6, num_steps, dtype=torch.float64)
    return [*map(schedule.at_log_snr, log_snr), schedule.clean()]


z_0 = torch.linspace(-1, 2, 9, dtype=torch.float64)


def order_of(error_at):
    """Observed, without the step to the clean level, which has one size."""
    few, many = (
        error_at(grid(ScaledLinearBetas(), num_steps)[:-1])
        for num_steps in (100, 200)
    )
    return math.log2(few / many)


def test_the_inverse_of_a_gaussian_is_its_flow(gaussian):
    """Of first order, as DDIM is."""

    def error_at(levels):
        z_T = invert(gaussian.denoise, z_0, levels)
        exact = gaussian.flow(z_0, levels[-1], levels[0])
        return (z_T - exact).abs().max()

    assert order_of(error_at) == pytest.approx(1, abs=0.15)


def test_ddim_undoes_the_inverse_up_to_the_square_of_the_step(gaussian):
    def error_at(levels):
        z_T = invert(gaussian.denoise, z_0, levels)
        return (DDIM()(gaussian.denoise, z_T, levels) - z_0).abs().max()

    assert order_of(error_at) == pytest.approx(2, abs=0.15)


@SCHEDULES
def test_an_image_survives_the_way_to_noise_and_back(gaussian, schedule):
    levels = grid(schedule, 200)
    z_T = invert(gaussian.denoise, z_0, levels)
    exact = gaussian.flow(z_0, levels[-1], levels[0])
    torch.testing.assert_close(z_T, exact, rtol=0.02, atol=0)
    back = DDIM()(gaussian.denoise, z_T, levels)
    torch.testing.assert_close(back, z_0, rtol=0, atol=5e-3)


@pytest.mark.parametrize('solver', [Heun(), DPMSolverPP()])
def test_other_solvers_undo_it_the_better_the_more_steps(gaussian, solver):
    error = []
    for num_steps in (25, 50, 100, 200):
        levels = grid(ScaledLinearBetas(), num_steps)
        z_T = invert(gaussian.denoise, z_0, levels)
        error.append((solver(gaussian.denoise, z_T, levels) - z_0).abs().max())
    assert error == sorted(error, reverse=True)
    assert error[-1] < 0.02


def test_iterated_on_it_is_the_exact_inverse_of_ddim(gaussian):
    levels = grid(ScaledLinearBetas(), 20)
    error = []
    for num_iters in (1, 3, 30):
        z_T = invert(gaussian.denoise, z_0, levels, num_iters)
        error.append((DDIM()(gaussian.denoise, z_T, levels) - z_0).abs().max())
    assert error[0] > 5 * error[1]
    assert error[2] < 1e-9


@pytest.mark.parametrize('num_iters', [1, 2])
def test_a_step_back_costs_its_evaluations_at_its_noisy_end(
    gaussian, num_iters
):
    visited = []

    def denoise(z, level):
        visited.append(level)
        return gaussian.denoise(z, level)

    levels = grid(ScaledLinearBetas(), 3)
    invert(denoise, z_0, levels, num_iters)
    expected = [level for level in levels[2::-1] for _ in range(num_iters)]
    assert visited == expected


def test_no_iteration_is_refused(gaussian):
    with pytest.raises(ValueError, match='num_iters=0 must be 1 or more'):
        invert(gaussian.denoise, z_0, grid(ScaledLinearBetas(), 3), 0)
