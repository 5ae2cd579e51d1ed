import pytest
import torch

from mmldm.diffusion import NoiseLevel, VelocityPrediction, add_noise


def variance_exploding():
    sigma = torch.tensor([0.01, 1, 80], dtype=torch.float64)
    return NoiseLevel(sigma, torch.ones_like(sigma), sigma)


@pytest.fixture(params=['of the schedule', 'variance exploding'])
def level(request, schedule):
    """Three levels from nearly clean to nearly noise."""
    if request.param == 'variance exploding':
        return variance_exploding()
    times = torch.tensor([0.002, 0.5, 1], dtype=torch.float64)
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
        shift.square(), expected.expand_as(shift), rtol=1e-6, atol=1e-9
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
