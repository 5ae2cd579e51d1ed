import math
import warnings

import pytest
import torch

from mmldm.diffusion import (
    DiffusionScheduler,
    NoiseLevel,
    NoiseSchedule,
    RectifiedFlow,
    VariationalWeighting,
    add_noise,
)
from mmldm.diffusion.noise_schedules import as_float64
from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import SampleRandom


class Given:
    """Draws that are known beforehand, from either source."""

    def __init__(self, uniform=None, stratified=None):
        self.numbers = dict(uniform=uniform, stratified=stratified)

    def uniform(self, name):
        return self.numbers['uniform']

    def stratified(self, name):
        return self.numbers['stratified']


def build(**overrides):
    parts = dict(
        noise_schedule=dict(type='ScaledLinearBetas'),
        prediction=dict(type='EpsilonPrediction'),
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=dict(type='LeadingGrid'),
        solver=dict(type='DDIM'),
        num_steps=50,
    )
    return DiffusionScheduler(**{**parts, **overrides})


def test_the_loss_is_the_weighted_mean_of_squared_errors():
    """min-SNR of the velocity by hand, at t = 50 and t = 900."""
    scheduler = build(
        prediction=dict(type='VelocityPrediction'),
        loss_weighting=dict(type='MinSNRWeighting', gamma=5.0),
    )
    level = scheduler.noise_schedule(torch.tensor([50, 900]))
    z_0, noise = torch.randn(2, 2, 4, 2, 2)
    alpha, sigma = level.alpha.float(), level.sigma.float()
    out = torch.stack(
        [
            alpha[i] * noise[i] - sigma[i] * z_0[i] + error
            for i, error in enumerate((1.0, 3.0))
        ]
    )
    snr = alpha**2 / sigma**2
    assert snr[0] > 5 > snr[1]
    expected = (5 / (snr[0] + 1) + snr[1] / (snr[1] + 1) * 9) / 2
    torch.testing.assert_close(
        scheduler.loss(out, z_0, noise, level), expected
    )


def test_the_target_costs_nothing(prediction):
    scheduler = build(prediction=dict(type=type(prediction).__name__))
    level = scheduler.noise_schedule(torch.tensor([100, 900]))
    z_0, noise = torch.randn(2, 2, 4, 2, 2)
    target = scheduler.prediction.target(z_0, noise, level)
    assert scheduler.loss(target, z_0, noise, level) == 0


def test_the_loss_is_the_mean_of_every_samples_error():
    scheduler = build(loss_weighting=dict(type='MinSNRWeighting'))
    level = scheduler.noise_schedule(torch.tensor([50, 900]))
    out, z_0, noise = torch.randn(3, 2, 4, 2, 2)
    errors = scheduler.errors(out, z_0, noise, level)
    weight = scheduler.loss_weighting(level, scheduler.prediction).float()
    expected = weight * (out - noise).square().mean((1, 2, 3))
    torch.testing.assert_close(errors, expected)
    assert scheduler.loss(out, z_0, noise, level) == errors.mean()


@pytest.mark.parametrize(
    'loss_function, expected',
    [
        (dict(type='L1Loss'), 3),
        (dict(type='L2Loss'), 9),
        (dict(type='HuberLoss', delta=2.0), 2 * (3 - 1)),
    ],
)
def test_the_loss_function_arrives(loss_function, expected):
    scheduler = build(loss_function=loss_function)
    level = scheduler.noise_schedule(torch.tensor([500]))
    noise = torch.randn(1, 4, 2, 2)
    loss = scheduler.loss(noise - 3, noise, noise, level)
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize('name', ['VelocityPrediction', 'FlowPrediction'])
def test_the_direction_term_is_added_unweighted(name):
    plain, both = (
        build(
            prediction=dict(type=name),
            loss_weighting=dict(type='MinSNRWeighting'),
            direction_weight=weight,
        )
        for weight in (0.0, 0.3)
    )
    level = plain.noise_schedule(torch.tensor([50, 900]))
    z_0, noise = torch.randn(2, 2, 4, 2, 2)
    opposite = -2 * plain.prediction.target(z_0, noise, level)
    args = opposite, z_0, noise, level
    torch.testing.assert_close(both.errors(*args), plain.errors(*args) + 0.6)


@pytest.mark.parametrize(
    'name', ['EpsilonPrediction', 'SamplePrediction', 'EDMPrediction']
)
def test_what_is_no_velocity_has_no_direction_term(name):
    with pytest.raises(ValueError, match='use VelocityPrediction or Flow'):
        build(prediction=dict(type=name), direction_weight=0.3)


@pytest.mark.parametrize('key', ['direction_weight', 'offset_noise'])
def test_negative_strengths_are_refused(key):
    with pytest.raises(ValueError, match=f'{key}=-0.1 must be >= 0; 0 is off'):
        build(**{key: -0.1})


@pytest.mark.parametrize('offset', [0.0, 0.1])
def test_offset_noise_is_drawn_anew_for_each_channel(offset):
    random = SampleRandom([(0, i) for i in range(3)])
    noise = build(offset_noise=offset).draw_noise(
        random, torch.empty(3, 4, 2, 5)
    )
    common = offset * random.normal('offset')(torch.empty(3, 4, 1, 1))
    expected = random.normal('noise')(noise) + common
    torch.testing.assert_close(noise, expected)


ZERO_TERMINAL = dict(
    type='ZeroTerminalSNR', noise_schedule=dict(type='LinearBetas')
)


def test_noise_is_not_predicted_where_there_is_nothing_else():
    with pytest.raises(ValueError, match='use VelocityPrediction'):
        build(noise_schedule=ZERO_TERMINAL)


@pytest.mark.parametrize(
    'weighting',
    [
        dict(type='UniformWeighting'),
        dict(type='MinSNRWeighting'),
        dict(type='P2Weighting'),
        dict(type='VariationalWeighting'),
    ],
)
@pytest.mark.parametrize(
    'name',
    [
        'VelocityPrediction',
        'SamplePrediction',
        'FlowPrediction',
        'EDMPrediction',
    ],
)
def test_training_without_any_signal_is_finite(name, weighting):
    scheduler = build(
        noise_schedule=ZERO_TERMINAL,
        prediction=dict(type=name),
        loss_weighting=weighting,
    )
    level = scheduler.sample_level(
        Given(torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64))
    )
    assert level.alpha[-1] == 0
    out, z_0, noise = torch.randn(3, 3, 4, 2, 2)
    assert scheduler.errors(out, z_0, noise, level).isfinite().all()


def test_a_weighting_is_told_its_schedule():
    scheduler = build(
        noise_schedule=dict(type='RectifiedFlow'),
        prediction=dict(type='FlowPrediction'),
        loss_weighting=dict(type='VariationalWeighting'),
    )
    level = scheduler.noise_schedule(torch.tensor([300.0]))
    expected = VariationalWeighting().on(RectifiedFlow())
    assert scheduler.loss_weighting(level, scheduler.prediction) == expected(
        level, scheduler.prediction
    )


def test_a_new_schedule_trains_and_samples(gaussian):
    """A circle in a few lines: all else comes with the base."""

    @DIFFUSION_SCHEDULERS.register_module(name='Circle', force=True)
    class Circle(NoiseSchedule):
        def __call__(self, t):
            t = as_float64(t)
            angle = t / self.num_timesteps * math.pi / 2
            return NoiseLevel(t, angle.cos(), angle.sin())

    scheduler = build(
        noise_schedule=dict(type='Circle', num_timesteps=100),
        time_grid=dict(type='LogSNRGrid'),
    )
    level = scheduler.sample_level(Given(torch.tensor([0.0, 0.5]).double()))
    assert level.t.tolist() == pytest.approx([0.1, (0.1 + 99) / 2])
    levels = scheduler.levels()
    z_T = torch.linspace(-2, 2, 5, dtype=torch.float64)
    torch.testing.assert_close(
        scheduler.solver(gaussian.denoise, z_T, levels),
        gaussian.flow(z_T, levels[0], levels[-1]),
        rtol=0,
        atol=0.05,
    )


def test_any_callable_weighs():
    """The contract is (level, prediction) -> (B,), not a base class."""

    @DIFFUSION_SCHEDULERS.register_module(name='SevenWeighting', force=True)
    class SevenWeighting:
        def __call__(self, level, prediction):
            return 7 * torch.ones_like(level.alpha)

    scheduler = build(loss_weighting=dict(type='SevenWeighting'))
    level = scheduler.noise_schedule(torch.tensor([500]))
    noise = torch.randn(1, 4, 2, 2)
    assert float(scheduler.loss(noise + 1, noise, noise, level)) == (
        pytest.approx(7)
    )


@pytest.mark.parametrize(
    'loss_function, expected',
    [(dict(type='L2Loss'), 1), (dict(type='HuberLoss'), 0.5)],
)
def test_a_bfloat16_output_is_compared_in_float32(loss_function, expected):
    scheduler = build(loss_function=loss_function)
    level = scheduler.noise_schedule(torch.tensor([500]))
    # Neither the number nor its error squared are any of bfloat16.
    noise = torch.full((1, 1, 1, 1), 1 + 37 * 2**-16)
    out = torch.ones(1, 1, 1, 1, dtype=torch.bfloat16)
    loss = scheduler.loss(out, noise, noise, level)
    assert float(loss) == pytest.approx(expected * (37 * 2**-16) ** 2)


def test_training_reaches_every_time_and_no_other():
    uniform = (torch.arange(10_000, dtype=torch.float64)) / 10_000
    level = build().sample_level(Given(uniform))
    assert level.t.unique().tolist() == list(range(1000))
    assert (
        level.t.max()
        == build()
        .sample_level(Given(torch.tensor([1 - 2**-53], dtype=torch.float64)))
        .t
    )


def test_training_levels_are_those_of_the_schedule():
    scheduler = build()
    level = scheduler.sample_level(Given(torch.tensor([0.0, 0.25])))
    expected = scheduler.noise_schedule(torch.tensor([0, 250]))
    assert level.t.tolist() == [0, 250]
    assert level.sigma.tolist() == expected.sigma.tolist()


def test_the_timestep_sampler_arrives():
    scheduler = build(
        timestep_sampler=dict(type='LogitNormalTimesteps', mean=-100.0)
    )
    level = scheduler.sample_level(Given(torch.rand(9).double()))
    assert level.t.tolist() == [0] * 9


@pytest.mark.parametrize('stratified, expected', [(False, 250), (True, 750)])
def test_times_are_stratified_where_asked(stratified, expected):
    scheduler = build(
        timestep_sampler=dict(type='UniformTimesteps', stratified=stratified)
    )
    random = Given(torch.tensor([0.25]), torch.tensor([0.75]))
    assert scheduler.sample_level(random).t.tolist() == [expected]


def test_the_grid_and_its_steps_arrive():
    levels = build(time_grid=dict(type='TrailingGrid'), num_steps=2).levels()
    assert [float(level.t) for level in levels] == [999, 499, 0]


def test_the_solver_arrives():
    assert build(solver=dict(type='DDIM', eta=0.3)).solver.eta == 0.3


@pytest.mark.parametrize('num_steps', [0, 11])
def test_a_bad_number_of_steps_is_refused_when_built(num_steps):
    schedule = dict(type='LinearBetas', num_timesteps=10)
    with pytest.raises(ValueError, match=f'num_steps={num_steps} must be in'):
        build(noise_schedule=schedule, num_steps=num_steps)


def test_noisy_latents_have_the_schedules_variance():
    """alpha^2 var(z_0) + sigma^2, at every level that training visits."""
    level = build().sample_level(Given(torch.tensor([0.1, 0.9])))
    z_0, noise = torch.randn(2, 2, 100_000)
    z_t = add_noise(2 * z_0, noise, level)
    expected = 4 * level.alpha**2 + level.sigma**2
    torch.testing.assert_close(
        z_t.var(1).double(), expected, rtol=0.03, atol=0
    )


@pytest.mark.parametrize(
    'key, given, kind',
    [
        ('solver', 'LogSNRGrid', 'time_grid'),
        ('time_grid', 'DDIM', 'solver'),
        ('loss_weighting', 'L1Loss', 'loss_function'),
        ('loss_function', 'MinSNRWeighting', 'loss_weighting'),
        ('prediction', 'UniformTimesteps', 'timestep_sampler'),
        ('timestep_sampler', 'CosineSchedule', 'noise_schedule'),
        ('noise_schedule', 'FlowPrediction', 'prediction'),
    ],
)
def test_a_part_of_another_axis_is_refused(key, given, kind):
    with pytest.raises(ValueError, match=f'{key}={given} is a {kind}'):
        build(**{key: dict(type=given)})


@pytest.mark.parametrize('key', ['direction_weight', 'offset_noise'])
@pytest.mark.parametrize('value', [-1, float('nan'), '0.1'])
def test_weights_that_are_no_weights_are_refused(key, value):
    with pytest.raises(ValueError, match=f'{key}=.* must be .*>= 0; 0 is off'):
        build(prediction=dict(type='VelocityPrediction'), **{key: value})


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_a_network_is_told_the_time_in_float32(dtype):
    """bfloat16 would make 500 of 501."""
    scheduler = build()
    z_t = torch.ones(2, 3, 1, 1, dtype=dtype)
    for t in (501.0, torch.tensor([501.0, 333.0])):
        scaled, told = scheduler.network_input(
            z_t, scheduler.noise_schedule(t)
        )
        assert scaled.dtype == dtype
        assert told.dtype == torch.float32
        assert told.tolist() == torch.as_tensor(t).expand(2).tolist()


@pytest.mark.parametrize('name', ['MinSNRWeighting', 'P2Weighting'])
def test_noise_alone_that_no_weight_trains_is_said(name):
    parts = dict(
        noise_schedule=ZERO_TERMINAL,
        prediction=dict(type='VelocityPrediction'),
    )
    with pytest.warns(UserWarning, match=f'{name} gives time 999 .* weight 0'):
        build(loss_weighting=dict(type=name), **parts)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        build(**parts)
        build(loss_weighting=dict(type=name))


@pytest.mark.parametrize(
    'num_steps, unit_start, deviation',
    [(4, False, 0.972), (4, True, 1.0), (10, False, 0.993), (10, True, 1.0)],
)
def test_latents_that_start_with_their_variance_end_with_it(
    num_steps, unit_start, deviation
):
    """Stable Diffusion's betas, data of deviation 1: exact paths keep z."""
    scheduler = build(
        noise_schedule=dict(
            type='ScaledLinearBetas', start=0.00085, end=0.012
        ),
        time_grid=dict(type='LeadingGrid', unit_start=unit_start),
        num_steps=num_steps,
    )
    levels = scheduler.levels()
    z = scheduler.start(torch.ones((), dtype=torch.float64), levels[0])
    assert float(z) == pytest.approx(deviation, abs=5e-4)
