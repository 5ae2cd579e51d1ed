import pytest
import torch

from mmldm.diffusion import DiffusionScheduler, add_noise


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
    target = prediction.target(z_0, noise, level)
    assert scheduler.loss(target, z_0, noise, level) == 0


def test_a_bfloat16_output_is_compared_in_float32():
    scheduler = build()
    level = scheduler.noise_schedule(torch.tensor([500]))
    noise = torch.full((1, 1, 1, 1), 1 + 2**-10)
    out = torch.ones(1, 1, 1, 1, dtype=torch.bfloat16)
    loss = scheduler.loss(out, noise, noise, level)
    assert float(loss) == pytest.approx(2**-20)


def test_training_reaches_every_time_and_no_other():
    uniform = (torch.arange(10_000, dtype=torch.float64)) / 10_000
    level = build().sample_level(uniform)
    assert level.t.unique().tolist() == list(range(1000))
    assert (
        level.t.max()
        == build()
        .sample_level(torch.tensor([1 - 2**-53], dtype=torch.float64))
        .t
    )


def test_training_levels_are_those_of_the_schedule():
    scheduler = build()
    level = scheduler.sample_level(torch.tensor([0.0, 0.25]))
    expected = scheduler.noise_schedule(torch.tensor([0, 250]))
    assert level.t.tolist() == [0, 250]
    assert level.sigma.tolist() == expected.sigma.tolist()


def test_the_timestep_sampler_arrives():
    scheduler = build(
        timestep_sampler=dict(type='LogitNormalTimesteps', mean=-100.0)
    )
    assert scheduler.sample_level(torch.rand(9).double()).t.tolist() == [0] * 9


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
    level = build().sample_level(torch.tensor([0.1, 0.9]))
    z_0, noise = torch.randn(2, 2, 100_000)
    z_t = add_noise(2 * z_0, noise, level)
    expected = 4 * level.alpha**2 + level.sigma**2
    torch.testing.assert_close(
        z_t.var(1).double(), expected, rtol=0.03, atol=0
    )
