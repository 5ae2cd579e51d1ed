"""Steps that replace part of the noise: DDIM, and DDPM as one of them."""

import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    DDPM,
    DPMSolverPP,
    Euler,
    EulerAncestral,
    LinearBetas,
    NoiseLevel,
    ScaledLinearBetas,
)


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


@pytest.mark.parametrize('eta', [-0.1, 1.1])
@pytest.mark.parametrize('cls', [DDIM, EulerAncestral])
def test_eta_out_of_range_is_refused(cls, eta):
    with pytest.raises(ValueError, match=rf'eta={eta} must be in \[0, 1\]'):
        cls(eta)


@pytest.mark.parametrize('posterior', [-0.1, 1.1])
def test_a_posterior_out_of_range_is_refused(posterior):
    with pytest.raises(ValueError, match=f'posterior={posterior} must be'):
        DDPM(posterior)


def step(solver, cur, nxt, z, z_0, noise=0.0):
    """One step of a solver whose estimate and noise are given."""
    return solver(
        lambda z, level: z_0, z, [cur, nxt], lambda z: noise * torch.ones(5)
    )


def test_rounding_does_not_make_a_variance_negative():
    """Nothing but new noise is left after so long a step: kept is 0."""
    one = torch.ones((), dtype=torch.float64)
    cur = NoiseLevel(one, one, 80 * one)
    for sigma in torch.logspace(-9, -10, 100, dtype=torch.float64):
        kept, _ = DDIM(eta=1.0).sigmas(cur, NoiseLevel(one, one, sigma))
        assert kept <= 1e-7 * sigma


@pytest.mark.parametrize('posterior', [0.0, 0.25, 1.0])
def test_ddpm_mixes_its_two_variances(posterior):
    """Ho et al. 2020, section 3.2: beta, and the posterior's."""
    schedule = LinearBetas()
    cur, nxt = schedule(600), schedule(500)
    z, z_0 = torch.randn(2, 5, dtype=torch.float64)
    beta = 1 - (cur.alpha / nxt.alpha) ** 2
    smaller = beta * (nxt.sigma / cur.sigma) ** 2
    variance = (1 - posterior) * smaller + posterior * beta
    mean = step(DDIM(eta=1.0), cur, nxt, z, z_0)
    torch.testing.assert_close(
        step(DDPM(posterior), cur, nxt, z, z_0, noise=1.0),
        mean + variance.sqrt(),
    )


def test_ddpm_draws_no_noise_onto_a_clean_latent():
    schedule = LinearBetas()
    z, z_0 = torch.randn(2, 5, dtype=torch.float64)
    levels = schedule(10), schedule.clean()
    torch.testing.assert_close(step(DDPM(1.0), *levels, z, z_0, 1.0), z_0)


@pytest.mark.parametrize(
    'solver, same',
    [
        (Euler(), DDIM(eta=0.0)),
        (DPMSolverPP(1), DDIM(eta=0.0)),
        (DPMSolverPP(1, stochastic=True), DDIM(eta=1.0)),
        (EulerAncestral(), DDIM(eta=1.0)),
        (DDPM(), DDIM(eta=1.0)),
    ],
)
def test_names_of_one_thing(solver, same, mixture):
    schedule = ScaledLinearBetas()
    levels = [*map(schedule, (999, 700, 400, 150, 30)), schedule.clean()]
    z = torch.randn(9, dtype=torch.float64)

    def run(solver):
        torch.manual_seed(1)
        return solver(mixture.denoise, z, levels)

    torch.testing.assert_close(run(solver), run(same))
