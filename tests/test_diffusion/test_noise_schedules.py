import math

import pytest
import torch

from mmldm.diffusion import (
    CosineSchedule,
    LinearBetas,
    RectifiedFlow,
    ScaledLinearBetas,
)


def times(schedule, num=173):
    """Fractional ones between the least noise and the last."""
    return torch.linspace(
        0.001 * schedule.last, schedule.last, num, dtype=torch.float64
    )


def test_snr_falls_strictly(schedule):
    assert (schedule(times(schedule)).snr.diff() < 0).all()


def test_variance_is_preserved_or_paths_are_straight(schedule):
    level = schedule(times(schedule))
    straight = isinstance(schedule, RectifiedFlow)
    power = 1 if straight else 2
    total = level.alpha**power + level.sigma**power
    torch.testing.assert_close(total, torch.ones_like(total))


def test_levels_are_float64_on_the_cpu(schedule):
    for level in (
        schedule(0.5),
        schedule(torch.tensor([0.5])),
        schedule.at_log_snr(torch.tensor(1.0)),
        schedule.clean(),
    ):
        for value in (level.t, level.alpha, level.sigma):
            assert value.dtype == torch.float64
            assert value.device.type == 'cpu'


def test_at_log_snr_finds_the_level_again(schedule):
    level = schedule(times(schedule))
    found = schedule.at_log_snr(level.log_snr)
    for name in ('t', 'alpha', 'sigma'):
        torch.testing.assert_close(
            getattr(found, name), getattr(level, name), rtol=1e-7, atol=1e-9
        )


def test_the_clean_level_has_no_noise(schedule):
    clean = schedule.clean()
    assert (clean.t, clean.alpha, clean.sigma) == (0, 1, 0)


def test_times_may_have_any_shape(schedule):
    t = times(schedule, 6)
    table = schedule(t.view(2, 3)).alpha
    assert table.flatten().tolist() == schedule(t).alpha.tolist()
    assert table[0, 1] == schedule(float(t[1])).alpha


# Published values: the end of alpha_bar, and sigma / alpha there.
@pytest.mark.parametrize(
    'start, end, alpha_bar_0, alpha_bar, noise_to_signal',
    [
        (0.0015, 0.0195, '.998500', '1.42e-4', '83.82'),
        (0.0015, 0.0155, '.998500', '6.69e-4', '38.66'),
        (0.0015, 0.0205, '.998500', '9.7e-5', '101.58'),
        (0.00085, 0.012, '.999150', '4.660e-3', '14.61'),
    ],
)
def test_scaled_linear_betas_end_where_latent_diffusion_does(
    start, end, alpha_bar_0, alpha_bar, noise_to_signal
):
    schedule = ScaledLinearBetas(start, end)
    first, last = schedule(0), schedule(schedule.last)
    assert_published(first.alpha**2, alpha_bar_0)
    assert_published(last.alpha**2, alpha_bar)
    assert_published(last.sigma / last.alpha, noise_to_signal)


def assert_published(value, text):
    """Equal to all digits that were printed."""
    digits = len(text.split('e')[0].partition('.')[2])
    exponent = int(text.partition('e')[2] or 0)
    half_unit = 0.5 * 10.0 ** (exponent - digits)
    assert float(value) == pytest.approx(float(text), abs=1.001 * half_unit)


def test_the_default_is_the_papers():
    assert (
        ScaledLinearBetas()(999).alpha
        == ScaledLinearBetas(0.0015, 0.0195, 1000)(999).alpha
    )


def test_scaled_linear_betas_are_linear_in_their_roots():
    """beta_500 as latent diffusion has it; equal steps gave 0.01051."""
    schedule = ScaledLinearBetas()
    beta = 1 - (schedule(500).alpha / schedule(499).alpha) ** 2
    assert float(beta) == pytest.approx(0.00796318, abs=1e-8)


def test_ddpm_betas_are_exact_at_time_0():
    """float32 tables put it off by 1.7e-4."""
    assert float(LinearBetas()(0).snr) == pytest.approx(9999, rel=1e-12)


def test_linear_betas_are_linear():
    schedule = LinearBetas(0.1, 0.3, num_timesteps=3)
    expected = torch.tensor([0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7]).double()
    torch.testing.assert_close(schedule(torch.arange(3)).alpha ** 2, expected)


@pytest.mark.parametrize('offset', [0.008, 0.1])
def test_the_cosine_schedule_is_a_squared_cosine(offset):
    schedule = CosineSchedule(offset, num_timesteps=100)
    t = torch.arange(50)
    angle = ((t + 1) / 100 + offset) / (1 + offset) * math.pi / 2
    start = math.cos(offset / (1 + offset) * math.pi / 2)
    torch.testing.assert_close(
        schedule(t).alpha, (angle.double().cos() / start), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize('max_beta', [0.999, 0.5])
def test_the_cosine_schedules_last_beta_is_clipped(max_beta):
    schedule = CosineSchedule(max_beta=max_beta)
    beta = 1 - (schedule(999).alpha / schedule(998).alpha) ** 2
    assert float(beta) == pytest.approx(max_beta)


def test_rectified_flow_paths_are_straight():
    level = RectifiedFlow(num_timesteps=10)(torch.tensor([2.5, 5.0]))
    assert level.sigma.tolist() == [0.25, 0.5]
    assert level.t.tolist() == [2.5, 5]


@pytest.mark.parametrize('fraction', [0.0, 0.3, 1 - 2**-53])
def test_training_times_exist(schedule, fraction):
    t = schedule.timestep(torch.tensor(fraction, dtype=torch.float64))
    assert 0 <= t <= schedule.last
    level = schedule(t)
    assert level.sigma > 0 and level.alpha > 0


def test_training_times_fill_the_time_axis(schedule):
    fraction = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    first, last = schedule.timestep(fraction) / schedule.num_timesteps
    margin = 1.01 * max(1e-3, 1 - schedule.last / schedule.num_timesteps)
    assert first <= margin and last >= 1 - margin


@pytest.mark.parametrize(
    'build, options',
    [
        (ScaledLinearBetas, dict(end=1.0)),
        (ScaledLinearBetas, dict(start=0.0)),
        (LinearBetas, dict(end=1.2)),
        (LinearBetas, dict(start=0.0)),
        (LinearBetas, dict(start=-1e-4)),
    ],
)
def test_bad_betas_are_refused_with_their_range(build, options):
    with pytest.raises(ValueError, match=r'betas in \[.*must lie in \(0, 1'):
        build(**options)


@pytest.mark.parametrize(
    'build', [ScaledLinearBetas, LinearBetas, RectifiedFlow]
)
def test_a_schedule_without_times_is_refused(build):
    with pytest.raises(ValueError, match='num_timesteps=0'):
        build(num_timesteps=0)


def test_an_offset_of_zero_is_refused():
    with pytest.raises(ValueError, match='offset=0 must be positive'):
        CosineSchedule(offset=0)
