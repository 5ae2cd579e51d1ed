import pytest
import torch

from mmldm.diffusion import (
    EDMPrediction,
    EpsilonPrediction,
    FlowPrediction,
    NoiseLevel,
    SamplePrediction,
    UniformWeighting,
    VarianceExploding,
    VelocityPrediction,
    ZeroTerminalSNR,
    add_noise,
)


@pytest.fixture
def level(schedule):
    """Three levels from nearly clean to nearly noise."""
    times = torch.tensor([0.002, 0.5, 0.999], dtype=torch.float64)
    return schedule(times * schedule.last)


@pytest.fixture
def latents():
    """(z_0, noise)."""
    return torch.randn(2, 3, 4, 2, 2, dtype=torch.float64)


def test_the_target_implies_the_clean_latent(prediction, level, latents):
    z_0, noise = latents
    z_t = add_noise(z_0, noise, level)
    target = prediction.target(z_0, noise, level)
    torch.testing.assert_close(
        prediction.to_z_0(target, z_t, level), z_0, rtol=1e-9, atol=1e-9
    )


def test_the_error_scale_is_that_of_a_perturbation(prediction, level, latents):
    out, z_t = latents
    moved = prediction.to_z_0(out + 1e-3, z_t, level)
    shift = (moved - prediction.to_z_0(out, z_t, level)) / 1e-3
    expected = prediction.z_0_error_scale(level)[:, None, None, None]
    torch.testing.assert_close(
        shift.square(), expected.expand_as(shift), rtol=1e-5, atol=1e-9
    )


def test_one_level_for_all_is_the_same_level_for_each(
    prediction, schedule, latents
):
    one = schedule(schedule.last / 2)
    each = NoiseLevel(*(x.expand(3) for x in (one.t, one.alpha, one.sigma)))
    z_0, noise = latents
    torch.testing.assert_close(
        prediction.target(z_0, noise, one), prediction.target(z_0, noise, each)
    )
    torch.testing.assert_close(
        prediction.to_z_0(z_0, noise, one), prediction.to_z_0(z_0, noise, each)
    )


def test_velocity_is_the_speed_along_the_circle(latents):
    """d z_t / d angle with alpha = cos, sigma = sin; app. D."""
    z_0, noise = latents
    angle = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    level = NoiseLevel(angle, angle.cos(), angle.sin())
    _, speed = torch.autograd.functional.jvp(
        lambda a: a.cos() * z_0 + a.sin() * noise,
        angle,
        torch.ones_like(angle),
    )
    torch.testing.assert_close(
        VelocityPrediction().target(z_0, noise, level),
        speed,
        check_dtype=False,
    )


@pytest.mark.parametrize(
    'prediction',
    [
        VelocityPrediction(),
        SamplePrediction(),
        FlowPrediction(),
        EDMPrediction(),
    ],
)
def test_predictions_work_without_any_signal(prediction, latents):
    schedule = ZeroTerminalSNR(dict(type='LinearBetas'))
    level = schedule(schedule.last)
    z_0, noise = latents
    target = prediction.target(z_0, noise, level)
    assert torch.equal(add_noise(z_0, noise, level), noise)
    torch.testing.assert_close(prediction.to_z_0(target, noise, level), z_0)
    assert prediction.z_0_error_scale(level).isfinite()
    assert prediction.needs_signal is False


def test_noise_alone_says_nothing_where_it_is_all():
    assert EpsilonPrediction().needs_signal is True


def test_the_input_is_scaled_by_edm_alone(prediction, level):
    scale = prediction.input_scale(level)
    assert scale.shape == level.alpha.shape
    if not isinstance(prediction, EDMPrediction):
        assert (scale == 1).all()


@pytest.mark.parametrize('data_std', [0.5, 1.0])
def test_edm_with_alpha_1_is_its_published_preconditioning(data_std):
    """Karras et al. 2022, table 1: c_in, c_skip, c_out and lambda."""
    level = VarianceExploding()(torch.tensor([0, 400, 1000]))
    prediction = EDMPrediction(data_std)
    variance = level.sigma**2 + data_std**2
    c_in = 1 / variance.sqrt()
    c_skip = data_std**2 / variance
    c_out = level.sigma * data_std / variance.sqrt()
    weight = variance / (level.sigma * data_std) ** 2
    zero, one = torch.zeros(3).double(), torch.ones(3).double()
    close = torch.testing.assert_close
    close(prediction.input_scale(level), c_in)
    close(prediction.to_z_0(zero, one, level), c_skip)
    close(prediction.to_z_0(one, zero, level), c_out)
    close(
        UniformWeighting()(level, prediction),
        weight * prediction.z_0_error_scale(level),
    )


def test_edm_inputs_and_targets_have_variance_1(level):
    """z_0 of standard deviation data_std and noise are independent."""
    prediction = EDMPrediction(data_std=0.7)
    zero, one = torch.zeros(3).double(), torch.ones(3).double()
    of_z_0 = 0.7 * prediction.target(one, zero, level)
    of_noise = prediction.target(zero, one, level)
    torch.testing.assert_close(of_z_0**2 + of_noise**2, one)
    of_z_0 = 0.7 * level.alpha * prediction.input_scale(level)
    of_noise = level.sigma * prediction.input_scale(level)
    torch.testing.assert_close(of_z_0**2 + of_noise**2, one)


def test_an_edm_network_that_is_silent_knows_gaussian_data(level, gaussian):
    gaussian.mu = 0.0
    z_t = torch.randn(3, dtype=torch.float64)
    torch.testing.assert_close(
        EDMPrediction(data_std=gaussian.s).to_z_0(0 * z_t, z_t, level),
        gaussian.denoise(z_t, level),
    )


def test_the_deviation_of_latents_must_be_positive():
    with pytest.raises(ValueError, match='data_std=0 must be positive'):
        EDMPrediction(data_std=0)
