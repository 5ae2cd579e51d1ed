"""Which order a step of DPM-Solver++ and UniPC has, and its single steps."""

import diffusers
import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    DPMSolverPP,
    DPMSolverSinglestep,
    LeadingGrid,
    LogSNRGrid,
    RectifiedFlow,
    ScaledLinearBetas,
    UniPC,
)
from mmldm.diffusion.solvers.exponential import safe_order


def path(*log_snr):
    """The order of a step to the last value, from those before."""
    schedule = ScaledLinearBetas()
    *before, nxt = map(schedule.at_log_snr, log_snr)
    return safe_order([(level, None) for level in reversed(before)], nxt)


@pytest.mark.parametrize(
    'log_snr, order',
    [
        ((-4, -3), 1),
        ((-4, -3, -1.1), 2),
        ((-4, -3, -0.9), 1),
        ((-4, -3, -2, -1), 3),
        ((-4, -3, -2, -0.8), 3),
        ((-4, -3, -2, -0.7), 2),
        ((-4, -3, -2, 0.1), 1),
    ],
)
def test_longer_steps_have_lower_orders(log_snr, order):
    assert path(*log_snr) == order


@pytest.mark.parametrize('cls', [DPMSolverPP, UniPC])
@pytest.mark.parametrize('schedule', [ScaledLinearBetas(), RectifiedFlow()])
def test_order_3_with_few_equal_times_is_no_worse_than_ddim(
    cls, schedule, correlated
):
    """It was 3 to 35 times as far."""
    z = torch.randn(64, 2, dtype=torch.float64)
    fine = LeadingGrid()(schedule, 10)[:1]
    fine += [
        level
        for level in LogSNRGrid(1e-5)(schedule, 1000)
        if level.log_snr > fine[0].log_snr
    ]
    exact = DPMSolverPP(2)(correlated.denoise, z, fine)
    levels = LeadingGrid()(schedule, 10)
    by_ddim, lowered, kept = (
        float((solver(correlated.denoise, z, levels) - exact).norm())
        for solver in (DDIM(), cls(3), cls(3, lower_order_final=False))
    )
    assert lowered < by_ddim < kept / 2


@pytest.mark.parametrize('cls', [DPMSolverPP, UniPC])
def test_grids_of_equal_log_snr_keep_every_order(cls, correlated):
    levels = LogSNRGrid()(ScaledLinearBetas(), 10)
    z = torch.randn(8, 2, dtype=torch.float64)
    ends = [
        cls(3, lower_order_final=lower)(correlated.denoise, z, levels)
        for lower in (None, False)
    ]
    assert torch.equal(*ends)


@pytest.mark.parametrize('num_steps', [9, 10, 20])
@pytest.mark.parametrize('order', [2, 3])
@pytest.mark.parametrize('lower', [True, False])
def test_final_orders_are_lowered_as_by_diffusers(
    num_steps, order, lower, correlated
):
    """To a level that is not clean: fewer than 15 steps with DPM-Solver++."""
    schedule = ScaledLinearBetas()
    levels = LogSNRGrid()(schedule, num_steps + 1)[:-1]
    seen = []
    solver = DPMSolverPP(order, lower_order_final=lower)
    usable = solver.usable

    def record(past, levels, i):
        found = usable(past, levels, i)
        seen.append(len(found))
        return found

    solver.usable = record
    solver(correlated.denoise, torch.zeros(1, 2).double(), levels)
    if lower and num_steps < 15:
        assert seen[-2:] == [min(order, 2), 1]
    else:
        assert seen[-2:] == [order, order]


@pytest.mark.parametrize('num_steps', [9, 10])
def test_single_steps_of_order_2_are_those_of_diffusers(num_steps, mixture):
    """An odd number of levels before the clean one; the even has no rest."""
    schedule = ScaledLinearBetas()
    levels = LogSNRGrid()(schedule, num_steps)
    scheduler = diffusers.DPMSolverSinglestepScheduler(
        solver_order=2, final_sigmas_type='zero', lower_order_final=True
    )
    scheduler.set_timesteps(num_steps)
    scheduler.sigmas = torch.stack([x.sigma / x.alpha for x in levels])
    scheduler.timesteps = torch.stack([x.t for x in levels[:-1]])
    if num_steps % 2 == 0:  # theirs has the short step last, ours first
        scheduler.order_list = [1, *[1, 2] * (num_steps // 2 - 1), 1]
    z = sample = torch.linspace(-2, 2, 9, dtype=torch.float64)
    for level, t in zip(levels[:-1], scheduler.timesteps, strict=True):
        z_0 = mixture.denoise(sample.double(), level)
        noise = (sample - level.alpha * z_0) / level.sigma
        sample = scheduler.step(noise, t, sample).prev_sample
    torch.testing.assert_close(
        DPMSolverSinglestep(2)(mixture.denoise, z, levels),
        sample.double(),
        rtol=2e-5,
        atol=2e-5,
    )
