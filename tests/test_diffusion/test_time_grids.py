import math
from itertools import pairwise

import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    BetaGrid,
    CompVisGrid,
    CustomTimes,
    DiffusersSigmas,
    EqualErrorGrid,
    KarrasGrid,
    LeadingGrid,
    LinspaceGrid,
    LogSNRGrid,
    NoiseLevel,
    RectifiedFlow,
    ScaledLinearBetas,
    TimeGrid,
    TrailingGrid,
)
from mmldm.diffusion.noise_schedules import NoiseSchedule

SPACED_IN_NOISE = [LogSNRGrid, KarrasGrid, BetaGrid, EqualErrorGrid]


@pytest.fixture(
    params=[
        LeadingGrid(),
        TrailingGrid(),
        LinspaceGrid(),
        LogSNRGrid(),
        KarrasGrid(),
        BetaGrid(),
        EqualErrorGrid(),
    ],
    ids=lambda grid: type(grid).__name__,
)
def grid(request):
    return request.param


class Exploding(NoiseSchedule):
    """alpha = 1, and log(sigma) rises linearly from 0.002 to 80."""

    ends = torch.tensor([0.002, 80.0], dtype=torch.float64).log()

    def __call__(self, t):
        t = torch.as_tensor(t, dtype=torch.float64)
        sigma = torch.lerp(*self.ends, t / self.last).exp()
        return NoiseLevel(t, torch.ones_like(t), sigma)

    def at_log_snr(self, log_snr):
        first, last = self.ends
        return self((-log_snr / 2 - first) / (last - first) * self.last)

    def timestep(self, fraction):
        return fraction * self.last


class ZeroTerminal(ScaledLinearBetas):
    """Pure noise at time 999; just before it, no level is to be asked for."""

    def __call__(self, t):
        level = super().__call__(t)
        alpha = level.alpha.where(level.t < 999, 0.0)
        sigma = level.sigma.where(level.t < 999, 1.0)
        between = (level.t > 998) & (level.t < 999)
        return NoiseLevel(level.t, alpha.where(~between, torch.nan), sigma)


def times(levels):
    return [float(level.t) for level in levels]


def assert_runs_from_noise_to_clean(levels, num_steps):
    assert len(levels) == num_steps + 1
    assert levels[-1].sigma == 0
    noise = torch.stack([level.sigma / level.alpha for level in levels])
    assert noise.isfinite().all()
    assert (noise.diff() < 0).all()


@pytest.mark.parametrize('num_steps', [1, 2, 3, 7, 15, 50, 999, 1000])
def test_every_step_that_is_asked_takes_noise_away(grid, num_steps):
    schedule = ScaledLinearBetas()
    levels = grid(schedule, num_steps)
    assert_runs_from_noise_to_clean(levels, num_steps)
    assert max(times(levels)) <= schedule.last + 1e-9


@pytest.mark.parametrize('num_steps', [1, 2, 7, 50, 999, 1000])
@pytest.mark.parametrize('schedule', [RectifiedFlow(), Exploding()])
def test_grids_run_on_continuous_time(grid, schedule, num_steps):
    assert_runs_from_noise_to_clean(grid(schedule, num_steps), num_steps)


@pytest.mark.parametrize('num_steps', [1, 2, 7, 499, 500, 998, 999, 1000])
def test_pure_noise_is_but_the_first_level(grid, num_steps):
    """Between it and time 998 there is nothing finite."""
    levels = grid(ZeroTerminal(), num_steps)
    assert len(levels) == num_steps + 1
    first = levels[0]
    pure = float(first.alpha) == 0
    assert pure == (float(first.t) > 998)
    assert pure or isinstance(grid, LeadingGrid)
    assert_runs_from_noise_to_clean(levels[pure:], num_steps - pure)
    assert all(float(level.t) <= 998 for level in levels[1:])


@pytest.mark.parametrize('cls', SPACED_IN_NOISE)
def test_from_pure_noise_the_rest_is_as_from_the_time_before(cls):
    """Of which the first level is replaced by pure noise."""
    first, *rest = cls()(ZeroTerminal(), 9)
    assert (float(first.t), float(first.alpha)) == (999, 0)
    shorter = ScaledLinearBetas()
    shorter.num_timesteps, shorter._log_snr = 999, shorter._log_snr[:-1]
    expected = cls(last_time=1 / 999)(shorter, 9)[1:]
    assert times(rest) == pytest.approx(times(expected))


@pytest.mark.parametrize(
    'grid', [LeadingGrid(), LeadingGrid(offset=0), TrailingGrid()]
)
def test_a_last_time_that_is_clean_is_moved_halfway_up(grid):
    """DDIM would divide by a sigma of zero."""
    found = times(grid(RectifiedFlow(), 1000))
    assert_runs_from_noise_to_clean(grid(RectifiedFlow(), 1000), 1000)
    assert found[-2] == pytest.approx(found[-3] / 2)


@pytest.mark.parametrize('length', [1, 1000])
@pytest.mark.parametrize('num_steps', [1, 5, 20, 1000])
def test_the_unit_of_continuous_time_does_not_matter(grid, length, num_steps):
    levels = grid(RectifiedFlow(num_timesteps=length), num_steps)
    expected = grid(RectifiedFlow(), num_steps)
    assert_runs_from_noise_to_clean(levels, num_steps)
    for level, other in zip(levels, expected, strict=True):
        assert float(level.sigma) == pytest.approx(float(other.sigma))


@pytest.mark.parametrize('num_steps', [2.5, '20', None, 20.0])
def test_a_number_of_steps_that_is_not_whole_is_refused(grid, num_steps):
    with pytest.raises(ValueError, match='and a whole number'):
        grid(ScaledLinearBetas(), num_steps)


def test_a_grid_without_room_for_its_steps_is_refused():
    with pytest.raises(ValueError, match='an end nearer to 0'):
        LogSNRGrid(last_time=0.9995)(ScaledLinearBetas(), 4)


def test_a_negative_offset_is_refused():
    with pytest.raises(ValueError, match='offset=-5 must be >= 0'):
        LeadingGrid(offset=-5)


@pytest.mark.parametrize('num_steps', [0, -1, 1001])
def test_impossible_numbers_of_steps_are_refused(grid, num_steps):
    with pytest.raises(
        ValueError, match=rf'num_steps={num_steps} must be in \[1, 1000'
    ):
        grid(ScaledLinearBetas(), num_steps)


def test_the_leading_grid_is_ddims():
    """As the original code, where the stride is whole."""
    expected = [801, 601, 401, 201, 1, 0]
    assert times(LeadingGrid()(ScaledLinearBetas(), 5)) == expected


@pytest.mark.parametrize('offset', [0, 7, 12.5])
def test_the_leading_grid_ends_at_its_offset(offset):
    levels = LeadingGrid(offset)(ScaledLinearBetas(), 50)
    assert times(levels)[-2:] == [offset, 0]
    assert times(levels)[0] == 980 + offset


def test_the_trailing_grid_starts_at_the_end():
    """Lin et al. 2024, table 2, whose times 1 to 1000 are ours plus 1."""
    expected = [999, 799, 599, 399, 199, 0]
    assert times(TrailingGrid()(ScaledLinearBetas(), 5)) == expected


def test_the_linspace_grid_has_equal_strides_to_time_0():
    levels = LinspaceGrid()(ScaledLinearBetas(), 50)
    strides = -torch.tensor(times(levels)).diff()
    torch.testing.assert_close(
        strides, torch.full((50,), 999 / 50), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize('last_time', [0.001, 0.1])
def test_the_log_snr_grid_has_equal_strides_in_log_snr(last_time):
    schedule = ScaledLinearBetas()
    *noisy, _ = LogSNRGrid(last_time)(schedule, 20)
    log_snr = torch.stack([level.log_snr for level in noisy])
    first, last = schedule(999), schedule(1000 * last_time)
    expected = torch.linspace(
        float(first.log_snr), float(last.log_snr), 20, dtype=torch.float64
    )
    torch.testing.assert_close(log_snr, expected)


@pytest.mark.parametrize('last_time', [0.001, 0.1])
@pytest.mark.parametrize('rho', [1.0, 7.0])
def test_the_karras_grid_is_equation_5(rho, last_time):
    *noisy, _ = KarrasGrid(rho, last_time)(Exploding(), 18)
    sigma = torch.stack([level.sigma for level in noisy])
    share = torch.linspace(0, 1, 18, dtype=torch.float64)
    first, last = sigma[0], Exploding()(1000 * last_time).sigma
    expected = torch.lerp(first ** (1 / rho), last ** (1 / rho), share) ** rho
    torch.testing.assert_close(sigma, expected)
    assert float(first) == pytest.approx(80)


def test_the_karras_grid_of_a_large_rho_is_the_log_snr_grid():
    def log_snr(grid):
        levels = grid(ScaledLinearBetas(), 9)
        return torch.stack([level.log_snr for level in levels])

    torch.testing.assert_close(
        log_snr(KarrasGrid(rho=1e6)), log_snr(LogSNRGrid()), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize('last_time', [0.001, 0.1])
def test_the_beta_grid_of_concentration_one_half_is_a_cosine(last_time):
    """Beta(1/2, 1/2) is the arcsine law, of quantiles sin^2(pi p / 2)."""
    *noisy, _ = BetaGrid(0.5, last_time)(Exploding(), 18)
    sigma = torch.stack([level.sigma for level in noisy])
    share = torch.linspace(1, 0, 18, dtype=torch.float64)
    last = Exploding()(1000 * last_time).sigma
    quantiles = (share * torch.pi / 2).sin().square()
    expected = torch.lerp(last, sigma[0], quantiles)
    torch.testing.assert_close(sigma, expected)
    assert float(sigma[0]) == pytest.approx(80)


def test_the_beta_grid_of_concentration_1_is_the_karras_grid_of_rho_1():
    def sigmas(grid):
        return torch.stack([x.sigma for x in grid(ScaledLinearBetas(), 9)])

    torch.testing.assert_close(
        sigmas(BetaGrid(1.0)), sigmas(KarrasGrid(rho=1.0))
    )


def test_a_concentration_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match='concentration=0'):
        BetaGrid(0)


def log_snr_of(levels):
    return torch.stack([level.log_snr for level in levels])


@pytest.mark.parametrize('last_time', [0.001, 0.1])
@pytest.mark.parametrize('power', [0.375, 0.9])
def test_between_levels_of_equal_error_the_integral_is_the_same(
    power, last_time
):
    """Of (2 alpha sigma / (alpha^2 + sigma^2))^power, by the midpoint rule."""
    *noisy, _ = EqualErrorGrid(power, last_time)(Exploding(), 18)
    ends = log_snr_of(noisy)
    assert float(noisy[0].sigma) == pytest.approx(80)
    assert float(noisy[-1].t) == pytest.approx(1000 * last_time)
    parts = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    width = ends.diff()
    inside = ends[:-1] + parts[:, None] * width
    weight = (1 / torch.cosh(inside / 2)) ** power
    integral = weight.mean(0) * width
    torch.testing.assert_close(
        integral, integral.mean().expand(17), rtol=1e-4, atol=0
    )


def test_equal_error_of_power_1_is_equal_angles():
    """And of power 2 equal shares of the variance."""
    *noisy, _ = EqualErrorGrid(1.0)(Exploding(), 18)
    angle = torch.stack([level.sigma.atan2(level.alpha) for level in noisy])
    torch.testing.assert_close(angle.diff(), angle.diff().mean().expand(17))
    *noisy, _ = EqualErrorGrid(2.0)(Exploding(), 18)
    share = log_snr_of(noisy).sigmoid()
    torch.testing.assert_close(share.diff(), share.diff().mean().expand(17))


def test_equal_error_of_a_small_power_is_the_log_snr_grid():
    schedule = ScaledLinearBetas()
    torch.testing.assert_close(
        log_snr_of(EqualErrorGrid(1e-4)(schedule, 9)),
        log_snr_of(LogSNRGrid()(schedule, 9)),
        rtol=0,
        atol=1e-3,
    )


@pytest.mark.parametrize('num_steps', [2, 5, 10])
def test_equal_error_falls_on_every_schedule(schedule, num_steps):
    """With steps that are the longer, the farther from an SNR of 1."""
    levels = EqualErrorGrid()(schedule, num_steps)
    assert len(levels) == num_steps + 1
    assert levels[0].t == schedule.last
    pure = int(schedule(schedule.last).alpha == 0)
    assert_runs_from_noise_to_clean(levels[pure:], num_steps - pure)
    ends = log_snr_of(levels[pure:-1])
    steps = ends.diff()
    assert (steps[ends[1:] < 0].diff() < 0).all()
    assert (steps[ends[:-1] > 0].diff() > 0).all()


@pytest.mark.parametrize('power', [0, -1])
def test_a_power_that_is_not_positive_is_refused(power):
    with pytest.raises(ValueError, match=f'power={power} must be positive'):
        EqualErrorGrid(power)


def test_diffusers_spaces_sigmas_in_noise_alone():
    with pytest.raises(ValueError, match="'LeadingGrid'.*such as KarrasGrid"):
        DiffusersSigmas(dict(type='LeadingGrid'))
    with pytest.raises(ValueError, match="times='never'"):
        DiffusersSigmas(dict(type='KarrasGrid'), times='never')


@pytest.mark.parametrize(
    'grid', [LogSNRGrid(), KarrasGrid(), EqualErrorGrid(), LeadingGrid()]
)
def test_the_schedule_is_asked_for_all_levels_at_once(grid, monkeypatch):
    """On 1000 steps an inversion for each would take half a second."""
    schedule = ScaledLinearBetas()
    asked = []
    real, inverse = ScaledLinearBetas.__call__, ScaledLinearBetas.at_log_snr

    def level(self, t):
        asked.append(t)
        return real(self, t)

    def at_log_snr(self, log_snr):
        before = len(asked)
        found = inverse(self, log_snr)
        asked[before:] = [log_snr]  # however it looks for them
        return found

    monkeypatch.setattr(ScaledLinearBetas, '__call__', level)
    monkeypatch.setattr(ScaledLinearBetas, 'at_log_snr', at_log_snr)
    grid(schedule, 100)
    assert len(asked) <= 3


@pytest.mark.parametrize('rho', [0, -1])
def test_a_rho_that_is_not_positive_is_refused(rho):
    with pytest.raises(ValueError, match=f'rho={rho} must be positive'):
        KarrasGrid(rho)


@pytest.mark.parametrize('last_time', [0, 1, -0.1])
@pytest.mark.parametrize('cls', SPACED_IN_NOISE)
def test_a_last_time_off_the_axis_is_refused(cls, last_time):
    with pytest.raises(ValueError, match=f'last_time={last_time} must be in'):
        cls(last_time=last_time)


def test_given_times_are_visited():
    given = [999, 700.5, 10, 0]
    levels = CustomTimes(given)(ScaledLinearBetas(), 4)
    assert times(levels) == [*given, 0]
    assert_runs_from_noise_to_clean(levels, 4)


@pytest.mark.parametrize('given', [[], [5, 5], [5, 9, 1]])
def test_given_times_that_do_not_decrease_are_refused(given):
    with pytest.raises(ValueError, match=r'times=\[.*\] must decrease'):
        CustomTimes(given)


def test_another_number_than_that_of_the_given_times_is_refused():
    with pytest.raises(
        ValueError, match='has 2 times, but num_steps=3: set num_steps=2'
    ):
        CustomTimes([9, 1])(ScaledLinearBetas(), 3)


@pytest.mark.parametrize('given', [[1000, 1], [500, -1]])
def test_given_times_off_the_schedule_are_refused(given):
    with pytest.raises(
        ValueError,
        match=r'from .* must be in \[0, 999\], the times of ScaledLinear',
    ):
        CustomTimes(given)(ScaledLinearBetas(), 2)


def test_compvis_grid_asked_for_7_steps_runs_8():
    """What the original computes: ``ddim7_*`` of class_vq_f4."""
    levels = CompVisGrid()(ScaledLinearBetas(), 7)
    assert times(levels) == [995, 853, 711, 569, 427, 285, 143, 1, 0]
    fresh = [
        float(DDIM(eta=1.0).sigmas(cur, nxt)[1])
        for cur, nxt in pairwise(levels)
    ]
    expected = [
        0.95738107,
        0.92332375,
        0.86257476,
        0.7626656,
        0.6208318,
        0.4366614,
        0.05459253,
        0.02743205,
    ]
    assert fresh == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize('num_steps', [1, 2, 10, 50, 200, 250, 500])
def test_compvis_grid_runs_the_steps_asked_that_divide_its_length(num_steps):
    levels = CompVisGrid()(ScaledLinearBetas(), num_steps)
    assert len(levels) == num_steps + 1
    assert (
        times(levels)[:-1]
        == times(LeadingGrid()(ScaledLinearBetas(), num_steps))[:-1]
    )
    assert float(levels[-1].alpha) ** 2 == pytest.approx(0.9985)


@pytest.mark.parametrize(
    'num_steps, remedy',
    [
        (3, '2 or 4'),
        (9, '8 or 10'),
        (27, '25 or 40'),
        (300, '250 or 500'),
        (501, '500'),
        (1000, '500'),
    ],
)
def test_where_the_original_fails_compvis_grid_refuses(num_steps, remedy):
    with pytest.raises(ValueError, match=f'gives time 1000 .* to {remedy}$'):
        CompVisGrid()(ScaledLinearBetas(), num_steps)


@pytest.mark.parametrize('stride', range(1, 12))
def test_compvis_grid_refuses_where_its_stride_meets_the_end(stride):
    """The original adds 1 to multiples of the stride: IndexError at 1000."""
    num_steps = 1000 // stride
    try:
        CompVisGrid()(ScaledLinearBetas(), num_steps)
    except ValueError:
        assert 999 % stride == 0
    else:
        assert 999 % stride != 0


class OwnGrid(TimeGrid):
    """Levels of (alpha, sigma) that a user wrote down."""

    def __init__(self, *pairs):
        self.pairs = torch.tensor(pairs, dtype=torch.float64)

    def noisy_levels(self, schedule, num_steps):
        return [NoiseLevel(pair[0] * 0, *pair) for pair in self.pairs]


@pytest.mark.parametrize(
    'pairs, message',
    [
        ([(0.1, 1), (math.nan, 0.5)], 'invalid level 1: .* alpha=nan'),
        ([(0.1, math.inf), (0.5, 0.5)], 'invalid level 0: .* sigma=inf'),
        ([(0.1, 1), (-0.5, 0.5)], 'invalid level 1: .* alpha=-0.5'),
        ([(0, 1), (0, 1)], 'does not fall to the clean level'),
        ([(0, 0), (0.5, 0.5)], 'does not fall to the clean level'),
        ([(0.1, 1), (0.1, 1)], 'does not fall to the clean level'),
        ([(0.5, 0.5), (0.1, 1)], 'does not fall to the clean level'),
        ([(0.5, 0.5), (1, 0)], 'does not fall to the clean level'),
    ],
)
def test_a_grid_of_ones_own_that_is_no_path_is_refused(pairs, message):
    with pytest.raises(ValueError, match=f'OwnGrid .*{message}'):
        OwnGrid(*pairs)(ScaledLinearBetas(), len(pairs))
