import math

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

from mmldm.diffusion import (
    DDIM,
    CosineSchedule,
    CustomBetas,
    LinearBetas,
    NoiseLevel,
    NoiseSchedule,
    RectifiedFlow,
    ScaledLinearBetas,
    SqrtBetas,
    VarianceExploding,
    ZeroTerminalSNR,
)
from mmldm.diffusion.noise_schedules import as_float64


def times(schedule, num=173):
    """Fractional ones between the least noise and the last."""
    return torch.linspace(
        0.001 * schedule.last, schedule.last, num, dtype=torch.float64
    )


def test_snr_falls_strictly(schedule):
    assert (schedule(times(schedule)).snr.diff() < 0).all()


def test_variance_is_preserved_or_explodes_or_paths_are_straight(schedule):
    alpha, sigma = (lambda x: (x.alpha, x.sigma))(schedule(times(schedule)))
    if isinstance(schedule, RectifiedFlow):
        total = alpha + sigma
    elif isinstance(schedule, VarianceExploding):
        total = alpha
    else:
        total = alpha**2 + sigma**2
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
    level = schedule(times(schedule, 172).view(4, 43))
    found = schedule.at_log_snr(level.log_snr)
    for name in ('t', 'alpha', 'sigma'):
        torch.testing.assert_close(
            getattr(found, name), getattr(level, name), rtol=1e-11, atol=1e-11
        )


def test_a_log_snr_beyond_the_schedule_is_that_of_its_end(schedule):
    beyond = torch.tensor([math.inf, 1e3, -1e3, -math.inf])
    t = schedule.at_log_snr(beyond).t
    assert t[:2].tolist() == pytest.approx([0, 0], abs=1e-12)
    close = dict(rtol=1e-12, atol=0)
    ends = torch.full((2,), schedule.last, dtype=torch.float64)
    torch.testing.assert_close(t[2:], ends, **close)


class Circle(NoiseSchedule):
    """The least that a schedule needs."""

    def __call__(self, t):
        t = as_float64(t)
        angle = t / self.num_timesteps * math.pi / 2
        return NoiseLevel(t, angle.cos(), angle.sin())


def test_a_schedule_needs_but_its_levels():
    schedule = Circle()
    assert schedule.last == 999
    log_snr = torch.tensor([-10.0, 0, 3], dtype=torch.float64)
    angle = (-log_snr / 2).exp().atan()
    torch.testing.assert_close(
        schedule.at_log_snr(log_snr).t, 1000 * angle * 2 / math.pi
    )
    # Without noise at time 0, training keeps away from it.
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert schedule.timestep(ends).tolist() == pytest.approx([1, 999])


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


def test_sqrt_betas_are_roots_of_a_line():
    schedule = SqrtBetas(0.01, 0.09, num_timesteps=3)
    expected = torch.tensor([0.1, 0.05**0.5, 0.3]).double()
    torch.testing.assert_close(betas(schedule), expected)


def test_given_betas_are_those():
    given = [0.1, 0.5, 0.2]
    torch.testing.assert_close(
        betas(CustomBetas(given)), torch.tensor(given).double()
    )


def betas(schedule):
    """1 - alpha_t^2 / alpha_{t-1}^2, with 1 before the first."""
    alpha = schedule(torch.arange(schedule.num_timesteps)).alpha
    before = torch.cat([alpha.new_ones(1), alpha[:-1]])
    return 1 - (alpha / before) ** 2


CASES = pytest.mark.parametrize(
    'case, start, end',
    [
        ('uncond_vq_f4', 0.0015, 0.0195),
        ('superres_vq_f4', 0.0015, 0.0155),
        ('text_kl_f8', 0.00085, 0.012),
    ],
)


@CASES
def test_tables_are_the_originals(case, start, end, reference):
    """What a step of DDPM adds is the original's ``posterior_variance``."""
    values = reference.values(case)
    schedule = ScaledLinearBetas(start, end)
    level = schedule(torch.arange(1000))
    close = dict(rtol=1e-6, atol=0)
    for actual, name in (
        (betas(schedule), 'betas'),
        (level.alpha**2, 'alphas_cumprod'),
    ):
        torch.testing.assert_close(actual, values[name].double(), **close)
    zero = torch.zeros(1, dtype=torch.float64)
    for t in (1, 2, 500, 999):
        steps = [schedule(t), schedule(t - 1)]
        added = DDIM(eta=1.0)(lambda z, _: z, zero, steps, torch.ones_like)
        expected = values['posterior_variance'][t : t + 1].double()
        torch.testing.assert_close(added**2, expected, **close)


@pytest.mark.parametrize(
    'schedule, name, options',
    [
        (ScaledLinearBetas(0.001, 0.01), 'scaled_linear', (0.001, 0.01)),
        (LinearBetas(0.001, 0.01), 'linear', (0.001, 0.01)),
        (CosineSchedule(), 'squaredcos_cap_v2', (0.0001, 0.02)),
    ],
)
def test_betas_are_those_of_diffusers(schedule, name, options):
    expected = DDPMScheduler(1000, *options, beta_schedule=name).betas
    torch.testing.assert_close(
        betas(schedule).float(), expected, rtol=1e-5, atol=1e-8
    )


def test_an_exploding_variance_is_geometric_in_time():
    schedule = VarianceExploding(0.01, 100.0, num_timesteps=4)
    level = schedule(torch.arange(5))
    expected = torch.tensor([0.01, 0.1, 1, 10, 100]).double()
    torch.testing.assert_close(level.sigma, expected)
    assert level.alpha.tolist() == [1] * 5
    assert schedule.last == 4


def test_the_default_exploding_variance_has_edms_range():
    schedule = VarianceExploding()
    sigma = schedule(torch.tensor([0, schedule.last])).sigma
    torch.testing.assert_close(sigma, torch.tensor([0.002, 80]).double())


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(sigma_min=0), 'sigma_min=0 must be positive'),
        (dict(sigma_max=0.001), 'sigma_max=0.001 must be above sigma_min'),
    ],
)
def test_a_variance_that_does_not_explode_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VarianceExploding(**options)


ORIGINALS = pytest.mark.parametrize(
    'original', [ScaledLinearBetas(), LinearBetas(num_timesteps=7)]
)


def zero_terminal(original):
    return ZeroTerminalSNR(
        dict(
            type=type(original).__name__, num_timesteps=original.num_timesteps
        )
    )


@ORIGINALS
def test_zero_terminal_snr_moves_and_scales_alpha(original):
    """Lin et al. 2024, alg. 1."""
    schedule, t = zero_terminal(original), torch.arange(original.num_timesteps)
    before, after = original(t).alpha, schedule(t).alpha
    assert after[-1] == 0 and schedule(schedule.last).sigma == 1
    torch.testing.assert_close(after[0], before[0], rtol=1e-15, atol=0)
    torch.testing.assert_close(
        (after[1:-1] - after[-1]) / (before[1:-1] - before[-1]),
        (after[0] / (before[0] - before[-1])).expand(len(t) - 2),
    )
    expected = rescale_zero_terminal_snr(betas(original))
    torch.testing.assert_close(betas(schedule), expected)


@ORIGINALS
def test_zero_terminal_snr_falls_linearly_at_the_end(original):
    schedule = zero_terminal(original)
    share = torch.linspace(0, 1, 5, dtype=torch.float64)
    level = schedule(schedule.last - 1 + share)
    torch.testing.assert_close(level.alpha, (1 - share) * level.alpha[0])
    assert level.snr[-1] == 0 and level.log_snr[-1] == -math.inf


@pytest.mark.parametrize(
    'given',
    [
        dict(type='RectifiedFlow'),
        dict(type='LinearBetas', num_timesteps=1),
    ],
)
def test_zero_terminal_snr_needs_a_table(given):
    with pytest.raises(
        ValueError, match='use a schedule such as ScaledLinear'
    ):
        ZeroTerminalSNR(given)


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
    assert level.sigma > 0
    # Where there is no signal at the end, that is trained too.
    assert level.alpha > 0 or isinstance(schedule, ZeroTerminalSNR)


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
        (SqrtBetas, dict(start=-1e-4, end=0.1)),
        (CustomBetas, dict(betas=[0.1, 1.0])),
    ],
)
def test_bad_betas_are_refused_with_their_range(build, options):
    with pytest.raises(ValueError, match=r'betas in \[.*must be in \(0, 1'):
        build(**options)


@pytest.mark.parametrize(
    'build',
    [ScaledLinearBetas, LinearBetas, RectifiedFlow, VarianceExploding],
)
def test_a_schedule_without_times_is_refused(build):
    with pytest.raises(ValueError, match='num_timesteps=0'):
        build(num_timesteps=0)


def test_an_offset_of_zero_is_refused():
    with pytest.raises(ValueError, match='offset=0 must be positive'):
        CosineSchedule(offset=0)
