"""What holds for every solver."""

import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    DDPM,
    IPNDM,
    PLMS,
    DiffusersGrid,
    DPMSolverPP,
    DPMSolverSinglestep,
    Euler,
    EulerAncestral,
    Heun,
    LogSNRGrid,
    MultistepSolver,
    NoiseLevel,
    RectifiedFlow,
    ScaledLinearBetas,
    TrailingGrid,
    UniPC,
    ZeroTerminalSNR,
)
from mmldm.diffusion.solvers.coordinates import COORDINATES

DETERMINISTIC = [
    DDIM(),
    Euler(),
    Heun(),
    Heun(coordinates='ve'),
    PLMS(),
    PLMS(coordinates='ve'),
    *(IPNDM(order) for order in (1, 2, 3, 4)),
    IPNDM(3, coordinates='flow'),
    *(DPMSolverPP(order) for order in (1, 2, 3)),
    UniPC(2),
    UniPC(3),
    UniPC(3, lower_order_final=True),
    DPMSolverSinglestep(2),
    DPMSolverSinglestep(3),
]
STOCHASTIC = [
    DDIM(eta=0.5),
    DDIM(eta=1.0),
    EulerAncestral(),
    DDPM(posterior=1.0),
    *(DPMSolverPP(order, stochastic=True) for order in (1, 2, 3)),
    Euler(churn=2.0),
    Heun(churn=2.0),
]


def name(value):
    return type(value).__name__


@pytest.fixture(params=DETERMINISTIC + STOCHASTIC, ids=name)
def solver(request):
    return request.param


def test_a_step_to_the_clean_level_is_the_estimate(solver, gaussian):
    schedule = ScaledLinearBetas()
    z, level = torch.randn(5), schedule(700)
    torch.testing.assert_close(
        solver(gaussian.denoise, z, [level, schedule.clean()]),
        gaussian.denoise(z, level),
    )


@pytest.mark.parametrize('schedule', [ScaledLinearBetas(), RectifiedFlow()])
def test_a_known_clean_latent_is_reached(solver, schedule):
    z_0 = torch.randn(5, dtype=torch.float64)
    levels = LogSNRGrid()(schedule, 7)
    torch.testing.assert_close(
        solver(lambda z, level: z_0, torch.randn_like(z_0), levels), z_0
    )


def test_latents_keep_their_dtype(solver, gaussian):
    levels = LogSNRGrid()(ScaledLinearBetas(), 5)
    z = solver(gaussian.denoise, torch.randn(5), levels)
    assert z.dtype == torch.float32


@pytest.fixture
def from_pure_noise():
    """alpha = 0 to the last bit: log-SNR and sigma / alpha are infinite."""
    schedule = ScaledLinearBetas()
    pure = torch.tensor([999.0, 0.0, 1.0], dtype=torch.float64)
    rest = [*map(schedule, (900, 700, 500, 300, 100)), schedule.clean()]
    return [NoiseLevel(*pure), *rest]


def uses_pure_noise(solver):
    """On straight paths noise alone has a speed like any other level's."""
    return getattr(solver, 'coordinates', None) == COORDINATES['flow']


LEAVING = [solver for solver in DETERMINISTIC if not uses_pure_noise(solver)]


@pytest.mark.parametrize('solver', LEAVING, ids=name)
def test_pure_noise_is_left_exactly(solver, from_pure_noise, gaussian):
    """There the estimate is the mean, and z the noise."""
    pure, level, *_ = from_pure_noise
    z = torch.randn(5, dtype=torch.float64)
    torch.testing.assert_close(
        solver(gaussian.denoise, z, [pure, level]),
        level.alpha * gaussian.mu + level.sigma * z,
    )


@pytest.mark.parametrize('solver', [Heun(), PLMS()], ids=name)
def test_on_straight_paths_pure_noise_is_left_at_order_2(
    solver, from_pure_noise, gaussian
):
    """Nearer to the exact latent than one step of DDIM, by two evaluations."""
    z = torch.randn(50, dtype=torch.float64)
    levels = from_pure_noise[:2]
    level = levels[1]
    spread = (level.alpha * gaussian.s) ** 2 + level.sigma**2
    exact = level.alpha * gaussian.mu + spread.sqrt() * z
    by_ddim = DDIM()(gaussian.denoise, z, levels)
    z = solver(gaussian.denoise, z, levels)
    assert (z - exact).norm() < 0.3 * (by_ddim - exact).norm()


@pytest.mark.parametrize('solver', LEAVING + STOCHASTIC, ids=name)
def test_pure_noise_is_forgotten(solver, from_pure_noise, gaussian):
    """What was estimated at an infinite distance weighs nothing."""
    z = torch.randn(5, dtype=torch.float64)

    def run(z, levels):
        return solver(gaussian.denoise, z, levels, torch.zeros_like)

    whole = run(z, from_pure_noise)
    if getattr(solver, 'churn', 0):  # its share of a step depends on them all
        assert whole.isfinite().all()
    else:
        second = run(z, from_pure_noise[:2])
        torch.testing.assert_close(run(second, from_pure_noise[1:]), whole)


@pytest.mark.parametrize('num_steps', [1, 2, 3, 4, 5, 10])
def test_evaluations_are_counted(solver, num_steps, gaussian):
    """Heun's last step has one, PLMS's first has two unless it is the last.

    Every level but the clean one is visited.
    """
    visited = []

    def denoise(z, level):
        visited.append(float(level.t))
        return gaussian.denoise(z, level)

    levels = LogSNRGrid()(ScaledLinearBetas(), num_steps)
    solver(denoise, torch.randn(5), levels)
    extra = {Heun: num_steps - 1, PLMS: int(num_steps > 1)}
    assert len(visited) == num_steps + extra.get(type(solver), 0)
    if not getattr(solver, 'churn', 0):
        assert {*visited} == {float(level.t) for level in levels[:-1]}


@pytest.mark.parametrize('solver', STOCHASTIC, ids=name)
def test_a_stochastic_solver_draws_from_what_it_is_given(solver, gaussian):
    drawn = []

    def draw_noise(z):
        drawn.append(torch.randn_like(z))
        return drawn[-1]

    levels = LogSNRGrid()(ScaledLinearBetas(), 4)
    z_T = torch.randn(5)
    z_0 = solver(gaussian.denoise, z_T, levels, draw_noise)
    # None in the step to the clean level, and none before the first.
    assert len(drawn) == 3
    again = iter(drawn)
    repeated = solver(gaussian.denoise, z_T, levels, lambda z: next(again))
    assert torch.equal(repeated, z_0)
    other = solver(gaussian.denoise, z_T, levels)
    assert not torch.allclose(other, z_0, atol=1e-3)


@pytest.mark.parametrize('solver', STOCHASTIC, ids=name)
def test_a_stochastic_solver_ends_at_the_distribution(solver, gaussian):
    """With steps so small that their own error is below a per cent."""
    levels = LogSNRGrid()(ScaledLinearBetas(), 400)
    z_0 = solver(gaussian.denoise, torch.randn(20_000), levels)
    assert float(z_0.mean()) == pytest.approx(gaussian.mu, abs=0.015)
    assert float(z_0.std()) == pytest.approx(gaussian.s, rel=0.025)


@pytest.mark.parametrize(
    'cls, order, orders',
    [
        (IPNDM, 0, '1, 2, 3 or 4'),
        (IPNDM, 5, '1, 2, 3 or 4'),
        (DPMSolverPP, 4, '1, 2 or 3'),
        (UniPC, 1, '2 or 3'),
        (UniPC, 4, '2 or 3'),
        (DPMSolverSinglestep, 1, '2 or 3'),
    ],
)
def test_an_order_that_does_not_exist_is_refused(cls, order, orders):
    with pytest.raises(ValueError, match=f'order={order} must be {orders}'):
        cls(order)


@pytest.mark.parametrize('cls', [Heun, PLMS, IPNDM])
def test_coordinates_that_do_not_exist_are_refused(cls):
    with pytest.raises(ValueError, match=f"{cls.__name__}.coordinates='edm'"):
        cls(coordinates='edm')


def test_plms_has_its_extra_evaluation_on_two_steps_from_pure_noise():
    visited = []

    def denoise(z, level):
        visited.append(float(level.t))
        return 0 * z

    schedule = ZeroTerminalSNR(dict(type='ScaledLinearBetas'))
    PLMS()(denoise, torch.randn(5), TrailingGrid()(schedule, 2))
    assert visited == [999, 499, 499]


def test_a_step_that_leads_nowhere_changes_nothing(solver, gaussian):
    """As DDIM of diffusers ends without ``set_alpha_to_one``."""
    grid = DiffusersGrid(offset=0, to_clean=False)
    levels = grid(ScaledLinearBetas(), 5)
    z = torch.linspace(-2, 2, 5, dtype=torch.float64)
    whole, without = (
        solver(gaussian.denoise, z, path, torch.zeros_like)
        for path in (levels, levels[:-1])
    )
    assert whole.isfinite().all()
    if isinstance(solver, (UniPC, DPMSolverSinglestep)):
        return  # the estimate at the end corrects what led there
    if not getattr(solver, 'churn', 0):  # its share depends on the length
        torch.testing.assert_close(whole, without, rtol=1e-6, atol=1e-6)


def test_a_multistep_solver_is_its_step(gaussian):
    """The estimates that it is given are the last ones, the newest first."""
    seen = []

    class Euler3(MultistepSolver):
        memory = 3

        def step(self, z, past, nxt, draw_noise):
            seen.append([float(level.t) for level, _ in past])
            (cur, z_0), *_ = past
            assert torch.equal(z_0, gaussian.denoise(z, cur))
            return DDIM().step(z, past, nxt, draw_noise)

    levels = LogSNRGrid()(ScaledLinearBetas(), 5)
    z = torch.randn(5)
    torch.testing.assert_close(
        Euler3()(gaussian.denoise, z, levels),
        DDIM()(gaussian.denoise, z, levels),
    )
    times = [float(level.t) for level in levels]
    assert seen == [times[max(0, i - 2) : i + 1][::-1] for i in range(5)]
