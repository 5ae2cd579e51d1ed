"""A schedule and a solver of one's own: one class each, and no other line."""

import math
from itertools import pairwise

import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    DiffusionScheduler,
    NoiseLevel,
    NoiseSchedule,
    add_noise,
)
from mmldm.diffusion.noise_schedules import as_float64
from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import SampleRandom


class QuarterCircle(NoiseSchedule):
    """alpha and sigma on a quarter of a circle, run through evenly."""

    def __call__(self, t):
        t = as_float64(t)
        angle = t / self.num_timesteps * math.pi / 2
        return NoiseLevel(t, angle.cos(), angle.sin())


class Midpoint:
    """Half a step of DDIM, and a whole one with the estimate found there."""

    def __init__(self, schedule):
        self.schedule = DIFFUSION_SCHEDULERS.build(schedule)

    def __call__(self, denoise, z, levels, generator=None):
        for cur, nxt in pairwise(levels):
            half = nxt
            if nxt.sigma > 0:
                middle = (cur.log_snr + nxt.log_snr) / 2
                half = self.schedule.at_log_snr(middle)
            there = DDIM()(denoise, z, [cur, half])
            z_0 = denoise(there, half) if nxt.sigma > 0 else there
            z = DDIM()(lambda *_, z_0=z_0: z_0, z, [cur, nxt])
        return z


@pytest.fixture
def registered():
    """Only as long as the test runs."""
    kinds = (QuarterCircle, Midpoint)
    for kind in kinds:
        DIFFUSION_SCHEDULERS.register_module(module=kind)
    yield
    for kind in kinds:
        del DIFFUSION_SCHEDULERS._module_dict[kind.__name__]


@pytest.fixture(
    params=['LogSNRGrid', 'EqualErrorGrid', 'KarrasGrid', 'LinspaceGrid']
)
def scheduler(registered, request):
    return DiffusionScheduler(
        noise_schedule=dict(type='QuarterCircle'),
        prediction=dict(type='VelocityPrediction'),
        loss_weighting=dict(type='MinSNRWeighting'),
        timestep_sampler=dict(type='UniformTimesteps', stratified=True),
        time_grid=dict(type=request.param),
        solver=dict(type='Midpoint', schedule=dict(type='QuarterCircle')),
        num_steps=20,
    )


def test_they_train(scheduler):
    random = SampleRandom([(0, i) for i in range(4)])
    level = scheduler.sample_level(random)
    z_0 = torch.randn(4, 3, 2, 2)
    noise = scheduler.draw_noise(random, z_0)
    angle = level.t / 1000 * math.pi / 2
    torch.testing.assert_close(level.sigma, angle.sin())
    target = level.alpha.float()[:, None, None, None] * noise
    target = target - level.sigma.float()[:, None, None, None] * z_0
    assert scheduler.loss(target, z_0, noise, level) < 1e-12
    assert scheduler.loss(target + 1, z_0, noise, level) > 0.1
    assert add_noise(z_0, noise, level).isfinite().all()


def test_they_sample(scheduler, gaussian):
    z_T = torch.linspace(-2, 2, 9, dtype=torch.float64)
    levels = scheduler.levels()
    z = scheduler.solver(gaussian.denoise, z_T, levels)
    exact = gaussian.flow(z_T, levels[0], levels[-1])
    assert (z - exact).abs().max() < 0.05
