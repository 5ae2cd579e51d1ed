"""Karras et al. 2022, algorithm 2, and where it says nothing."""

import math

import diffusers
import pytest
import torch

from mmldm.diffusion import (
    Euler,
    Heun,
    LogSNRGrid,
    NoiseLevel,
    RectifiedFlow,
    ScaledLinearBetas,
)

CHURN = dict(churn=1.5, churn_range=(0.05, 10.0), churn_noise=1.01)


def exploding(ratio):
    """A level of EDM, which is told log(sigma) / 4."""
    return NoiseLevel(ratio.log() / 4, torch.ones_like(ratio), ratio)


def ratio(level):
    return float(level.sigma / level.alpha)


@pytest.fixture
def edm():
    ratios = torch.tensor([80.0, 25, 8, 2, 0.4, 0.03], dtype=torch.float64)
    return [*map(exploding, ratios), exploding(torch.tensor(0.0).double())]


def algorithm_2(denoise, x, sigmas, noises, corrected):
    """As printed, but for the first step, which is not raised here."""
    low, high = CHURN['churn_range']
    for i, (cur, nxt) in enumerate(zip(sigmas, sigmas[1:], strict=False)):
        gamma = 0
        if i > 0 and low <= cur <= high:
            gamma = min(CHURN['churn'] / (len(sigmas) - 1), math.sqrt(2) - 1)
        raised = cur + gamma * cur
        if gamma:
            noise = CHURN['churn_noise'] * next(noises)
            x = x + math.sqrt(raised**2 - cur**2) * noise
        slope = (x - denoise(x, exploding(raised))) / raised
        ahead = x + (nxt - raised) * slope
        if corrected and nxt > 0:
            second = (ahead - denoise(ahead, exploding(nxt))) / nxt
            ahead = x + (nxt - raised) * (slope + second) / 2
        x = ahead
    return x


@pytest.mark.parametrize('cls', [Euler, Heun])
def test_algorithm_2(cls, edm, mixture):
    """The first level, and those outside the range, are not raised."""
    noises = torch.randn(3, 5, dtype=torch.float64)
    x = 80 * torch.randn(5, dtype=torch.float64)
    sigmas = [level.sigma for level in edm]
    expected = algorithm_2(
        mixture.denoise, x, sigmas, iter(noises), cls is Heun
    )
    drawn = iter(noises)
    paths = dict(coordinates='ve') if cls is Heun else {}
    solver = cls(**CHURN, **paths)
    given = solver(mixture.denoise, x, edm, lambda z: next(drawn))
    torch.testing.assert_close(given, expected)
    with pytest.raises(StopIteration):
        next(drawn)


def test_euler_with_churn_is_that_of_diffusers(monkeypatch):
    """Where the noise estimated is constant: theirs is not evaluated anew."""
    schedule = ScaledLinearBetas()
    levels = LogSNRGrid()(schedule, 8)
    sigmas = torch.stack([level.sigma / level.alpha for level in levels])
    z, noise, *drawn = torch.randn(10, 5, dtype=torch.float64)
    low, high = float(sigmas[6]), float(sigmas[1])
    scheduler = diffusers.EulerDiscreteScheduler()
    scheduler.set_timesteps(8)
    scheduler.sigmas, scheduler.timesteps = sigmas, sigmas[:-1]
    theirs = iter(drawn)
    monkeypatch.setattr(
        'diffusers.schedulers.scheduling_euler_discrete.randn_tensor',
        lambda *args, **kwargs: next(theirs),
    )
    sample = z / levels[0].alpha
    for sigma in sigmas[:-1]:
        sample = scheduler.scale_model_input(sample, sigma) * 0 + sample
        sample = scheduler.step(
            noise, sigma, sample, 2.0, low, high, 1.1
        ).prev_sample
    ours = iter(drawn)
    solver = Euler(churn=2.0, churn_range=(low, high), churn_noise=1.1)
    given = solver(
        lambda z, level: (z - level.sigma * noise) / level.alpha,
        z,
        levels,
        lambda z: next(ours),
    )
    torch.testing.assert_close(given, sample.double(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('schedule', [ScaledLinearBetas(), RectifiedFlow()])
@pytest.mark.parametrize('num_steps, churn', [(5, 3), (20, 3), (100, 30)])
def test_a_raised_level_is_one_of_the_schedule(
    schedule, num_steps, churn, gaussian
):
    """Up to what its docstring says of a variance-preserving one.

    And no noisier than the first; 30 over 100 steps leads across several.
    """
    visited = []

    def denoise(z, level):
        visited.append(level)
        return gaussian.denoise(z, level)

    levels = LogSNRGrid()(schedule, num_steps)
    Euler(churn)(denoise, torch.randn(5), levels)
    growth = 1 + min(churn / num_steps, math.sqrt(2) - 1)
    for told, level in zip(visited[1:], levels[1:], strict=False):
        raised = min(ratio(level) * growth, ratio(levels[0]))
        assert ratio(told) == pytest.approx(raised)
        exact = schedule.at_log_snr(told.log_snr)
        apart = abs(float(told.alpha - exact.alpha))
        off = {RectifiedFlow: 1e-9}.get(type(schedule), 2 / num_steps**2)
        assert apart < off
        assert level.t < told.t <= levels[0].t
    assert ratio(visited[0]) == ratio(levels[0])


def test_the_time_is_interpolated_in_log_snr(edm, mixture):
    """Which is exact for EDM, whose network is told log(sigma) / 4."""
    visited = []

    def denoise(z, level):
        visited.append(level)
        return mixture.denoise(z, level)

    Euler(churn=100.0)(denoise, torch.randn(5).double(), edm)
    for level in visited:
        torch.testing.assert_close(level.t, level.sigma.log() / 4)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(churn=-1), 'churn=-1 must be >= 0; 0 is off'),
        (dict(churn_range=(2, 1)), r'churn_range=\(2, 1\) must be two values'),
        (dict(churn_range=(-1, 1)), 'sigma / alpha, 0 <= low < high'),
        (dict(churn_noise=0), 'churn_noise=0 must be'),
    ],
)
@pytest.mark.parametrize('cls', [Euler, Heun])
def test_impossible_churn_is_refused(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options)
