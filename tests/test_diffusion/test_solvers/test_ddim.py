import math

import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    DPMSolverPP2M,
    Heun,
    LinearBetas,
    LogSNRGrid,
    RectifiedFlow,
    ScaledLinearBetas,
)

SOLVERS = pytest.mark.parametrize(
    'solver', [DDIM(), DDIM(eta=0.5), DDIM(eta=1.0), Heun(), DPMSolverPP2M()]
)


def refuse_noise(z):
    raise AssertionError('a deterministic solver drew noise')


@pytest.mark.parametrize('schedule', [ScaledLinearBetas(), RectifiedFlow()])
@pytest.mark.parametrize(
    'solver, order', [(DDIM(), 1), (Heun(), 2), (DPMSolverPP2M(), 2)]
)
def test_solver_converges_at_its_order(solver, order, schedule, gaussian):
    """z_0 ~ N(mu, s^2) has a linear denoiser and a closed-form flow."""
    z_T = torch.linspace(-2, 2, 9, dtype=torch.float64)
    error = []
    for num_steps in (64, 128):
        log_snr = torch.linspace(-4, 4, num_steps + 1, dtype=torch.float64)
        levels = [schedule.at_log_snr(value) for value in log_snr]
        exact = gaussian.flow(z_T, levels[0], levels[-1])
        z = solver(gaussian.denoise, z_T, levels, refuse_noise)
        error.append((z - exact).abs().max())
    observed = math.log2(error[0] / error[1])
    assert observed == pytest.approx(order, abs=0.15)


@SOLVERS
def test_a_step_to_the_clean_level_is_the_estimate(solver, gaussian):
    schedule = ScaledLinearBetas()
    z, level = torch.randn(5), schedule(700)
    torch.testing.assert_close(
        solver(gaussian.denoise, z, [level, schedule.clean()]),
        gaussian.denoise(z, level),
    )


@SOLVERS
def test_a_known_clean_latent_is_reached(solver):
    schedule = ScaledLinearBetas()
    z_0 = torch.randn(5, dtype=torch.float64)
    levels = LogSNRGrid()(schedule, 7)
    torch.testing.assert_close(
        solver(lambda z, level: z_0, torch.randn_like(z_0), levels), z_0
    )


@SOLVERS
def test_latents_keep_their_dtype(solver, gaussian):
    levels = LogSNRGrid()(ScaledLinearBetas(), 3)
    assert solver(gaussian.denoise, torch.randn(5), levels).dtype == (
        torch.float32
    )


@pytest.mark.parametrize(
    'solver, per_step', [(DDIM(), 1), (Heun(), 2), (DPMSolverPP2M(), 1)]
)
def test_a_step_costs_its_evaluations(solver, per_step, gaussian):
    """Heun's last step, to the clean level, has one."""
    visited = []

    def denoise(z, level):
        visited.append(float(level.t))
        return gaussian.denoise(z, level)

    levels = LogSNRGrid()(ScaledLinearBetas(), 4)
    solver(denoise, torch.randn(5), levels)
    assert len(visited) == 4 * per_step - (per_step - 1)
    assert sorted(set(visited)) == sorted(float(x.t) for x in levels[:-1])


def test_ddim_with_eta_1_is_a_ddpm_step():
    """Ho et al. 2020, eqs. 6 and 7, for beta between two levels."""
    schedule = LinearBetas()
    cur, nxt = schedule(600), schedule(500)
    z_t, z_0, noise = torch.randn(3, 5, dtype=torch.float64)
    bar_t, bar_s = cur.alpha**2, nxt.alpha**2
    beta = 1 - bar_t / bar_s
    mean = (
        bar_s.sqrt() * beta * z_0 + (1 - beta).sqrt() * (1 - bar_s) * z_t
    ) / (1 - bar_t)
    variance = (1 - bar_s) / (1 - bar_t) * beta
    z_s = DDIM(eta=1.0)(lambda z, level: z_0, z_t, [cur, nxt], lambda z: noise)
    torch.testing.assert_close(z_s, mean + variance.sqrt() * noise)


@pytest.mark.parametrize('eta', [0.5, 1.0])
def test_ddim_draws_eta_times_the_posteriors_deviation(eta):
    schedule = ScaledLinearBetas()
    z_t, z_0, noise = torch.randn(3, 5, dtype=torch.float64)

    def step(eta, noise):
        return DDIM(eta)(
            lambda z, level: z_0,
            z_t,
            [schedule(600), schedule(500)],
            lambda z: noise,
        )

    drawn = step(eta, noise) - step(eta, torch.zeros(5))
    ancestral = step(1.0, noise) - step(1.0, torch.zeros(5))
    torch.testing.assert_close(drawn, eta * ancestral)


@pytest.mark.parametrize('eta', [0.0, 0.5, 1.0])
def test_ddim_keeps_the_marginals_of_a_known_latent(eta):
    """q(z_s | z_0) has standard deviation sigma_s for any eta; app. B."""
    schedule = ScaledLinearBetas()
    cur, nxt = schedule(600), schedule(500)
    z_0 = torch.tensor(0.3, dtype=torch.float64)
    noise, fresh = torch.eye(2, dtype=torch.float64)
    z_t = cur.alpha * z_0 + cur.sigma * noise
    z_s = DDIM(eta)(lambda z, level: z_0, z_t, [cur, nxt], lambda z: fresh)
    deviation = (z_s - nxt.alpha * z_0).norm()
    torch.testing.assert_close(deviation, nxt.sigma)


def test_ddpm_on_a_gaussian_follows_the_exact_recursion(gaussian):
    """Every step is linear in z, so mean and variance have a recursion."""
    schedule = ScaledLinearBetas()
    levels = [*map(schedule, (999, 700, 400, 150, 30)), schedule.clean()]
    mean, variance = 0.0, levels[0].sigma ** 2
    for cur, nxt in zip(levels, levels[1:], strict=False):
        keep = cur.alpha / nxt.alpha * nxt.sigma**2 / cur.sigma**2
        pull = nxt.alpha - cur.alpha * keep
        gain = cur.alpha * gaussian.s**2 / gaussian.std(cur) ** 2
        mean = (keep + pull * gain) * mean + pull * gaussian.mu * (
            1 - gain * cur.alpha
        )
        fresh = nxt.sigma**2 - keep**2 * cur.sigma**2
        variance = (keep + pull * gain) ** 2 * variance + fresh
    z_T = levels[0].sigma * torch.randn(200_000)
    z_0 = DDIM(eta=1.0)(gaussian.denoise, z_T, levels)
    deviation = float(variance) ** 0.5
    # Four standard errors of the mean and of the deviation.
    error = 4 * deviation / 200_000**0.5
    assert float(z_0.mean()) == pytest.approx(float(mean), abs=error)
    assert float(z_0.std()) == pytest.approx(deviation, abs=error)


def test_a_stochastic_solver_draws_from_what_it_is_given(gaussian):
    drawn = []

    def draw_noise(z):
        drawn.append(torch.randn_like(z))
        return drawn[-1]

    levels = LogSNRGrid()(ScaledLinearBetas(), 4)
    z_T = torch.randn(5)
    z_0 = DDIM(eta=1.0)(gaussian.denoise, z_T, levels, draw_noise)
    assert len(drawn) == 3  # none in the step to the clean level
    again = iter(drawn)
    repeated = DDIM(eta=1.0)(
        gaussian.denoise, z_T, levels, lambda z: next(again)
    )
    assert torch.equal(repeated, z_0)


@pytest.mark.parametrize('eta', [-0.1, 1.1])
def test_eta_out_of_range_is_refused(eta):
    with pytest.raises(ValueError, match=rf'eta={eta} must be in \[0, 1\]'):
        DDIM(eta)
