import math

import pytest
import torch

from mmldm.diffusion import (
    CustomBetas,
    EpsilonPrediction,
    MinSNRWeighting,
    P2Weighting,
    RectifiedFlow,
    SamplePrediction,
    ScaledLinearBetas,
    UniformWeighting,
    VarianceExploding,
    VariationalWeighting,
    VelocityPrediction,
    ZeroTerminalSNR,
)


@pytest.fixture
def level():
    return ScaledLinearBetas()(torch.arange(0, 1000, 37))


# Hang et al. 2023, section 3.4 and app. A.
@pytest.mark.parametrize(
    'prediction, published',
    [
        (EpsilonPrediction(), lambda snr, least: least / snr),
        (VelocityPrediction(), lambda snr, least: least / (snr + 1)),
        (SamplePrediction(), lambda snr, least: least),
    ],
)
@pytest.mark.parametrize('gamma', [1.0, 5.0])
def test_min_snr_is_the_published_weight(prediction, published, gamma, level):
    weight = MinSNRWeighting(gamma)(level, prediction)
    least = torch.minimum(level.snr, torch.tensor(gamma))
    torch.testing.assert_close(weight, published(level.snr, least))


def test_uniform_weights_are_one(level, prediction):
    weight = UniformWeighting()(level, prediction)
    assert weight.tolist() == [1] * len(level.alpha)


@pytest.mark.parametrize('gamma', [0, -1])
def test_gamma_must_be_positive(gamma):
    with pytest.raises(ValueError, match=f'gamma={gamma} must be positive'):
        MinSNRWeighting(gamma)


# Choi et al. 2022, section 3: of the noise's error.
@pytest.mark.parametrize('gamma, k', [(0.0, 1.0), (0.5, 1.0), (1.0, 2.0)])
def test_p2_is_the_published_weight_of_noise(gamma, k, level):
    weight = P2Weighting(gamma, k)(level, EpsilonPrediction())
    torch.testing.assert_close(weight, 1 / (k + level.snr) ** gamma)


@pytest.mark.parametrize(
    'weighting',
    [
        MinSNRWeighting(),
        P2Weighting(),
        VariationalWeighting().on(ScaledLinearBetas()),
    ],
)
def test_the_clean_latents_error_weighs_alike_for_all_predictions(
    weighting, prediction, level
):
    on_z_0 = weighting(level, prediction) / prediction.z_0_error_scale(level)
    torch.testing.assert_close(on_z_0, weighting(level, SamplePrediction()))


@pytest.mark.parametrize(
    'case, start, end',
    [
        ('uncond_vq_f4', 0.0015, 0.0195),
        ('superres_vq_f4', 0.0015, 0.0155),
        ('text_kl_f8', 0.00085, 0.012),
    ],
)
def test_the_bound_of_noise_has_the_originals_weights(
    case, start, end, reference
):
    """The original computes them in float32, which is 8.5e-6 off."""
    schedule = ScaledLinearBetas(start, end)
    weighting = VariationalWeighting().on(schedule)
    weight = weighting(schedule(torch.arange(1000)), EpsilonPrediction())
    expected = reference.values(case)['lvlb_weights'].double()
    torch.testing.assert_close(weight, expected, rtol=1e-5, atol=0)


def test_the_bound_of_noise_is_that_of_ddpm():
    """beta^2 / (2 posterior variance (1 - beta) (1 - alpha_bar))."""
    beta = torch.linspace(0.01, 0.3, 20, dtype=torch.float64)
    alpha_bar = (1 - beta).cumprod(0)
    schedule = CustomBetas(beta.tolist())
    weight = VariationalWeighting().on(schedule)(
        schedule(torch.arange(20)), EpsilonPrediction()
    )
    variance = beta[1:] * (1 - alpha_bar[:-1]) / (1 - alpha_bar[1:])
    expected = beta[1:] / (2 * variance * (1 - beta[1:]))
    expected = expected * beta[1:] / (1 - alpha_bar[1:])
    torch.testing.assert_close(weight[1:], expected)
    assert float(weight[0]) == pytest.approx(float(expected[0]))


@pytest.mark.parametrize(
    'schedule',
    [ScaledLinearBetas(), ZeroTerminalSNR(dict(type='ScaledLinearBetas'))],
)
def test_the_bounds_weights_of_a_table_add_up_to_half_the_snr(schedule):
    """Kingma et al. 2021: the sum over steps telescopes."""
    weighting = VariationalWeighting().on(schedule)
    level = schedule(torch.arange(1, schedule.num_timesteps))
    total = weighting(level, SamplePrediction()).sum()
    ends = schedule(0).snr - schedule(schedule.last).snr
    torch.testing.assert_close(total, ends / 2)


@pytest.mark.parametrize('num_timesteps', [1, 1000])
def test_the_bound_in_continuous_time_is_the_snrs_slope(num_timesteps):
    """-1/2 d/dt ((1 - t) / t)^2 = (1 - t) / t^3 on straight paths."""
    schedule = RectifiedFlow(num_timesteps)
    weighting = VariationalWeighting().on(schedule)
    t = torch.tensor([1e-3, 0.1, 0.5, 0.99], dtype=torch.float64)
    weight = weighting(schedule(num_timesteps * t), SamplePrediction())
    torch.testing.assert_close(
        weight, (1 - t) / t**3 / num_timesteps, rtol=1e-5, atol=0
    )


def test_the_bound_at_the_ends_of_an_exploding_variance():
    """-1/2 d/dt sigma^-2 = slope of log sigma / sigma^2."""
    schedule = VarianceExploding()
    weighting = VariationalWeighting().on(schedule)
    level = schedule(torch.tensor([0.0, 1000.0]))
    slope = math.log(80 / 0.002) / 1000
    torch.testing.assert_close(
        weighting(level, SamplePrediction()),
        slope / level.sigma**2,
        rtol=1e-4,
        atol=0,
    )


def test_the_bound_and_the_simple_loss_are_mixed(level, prediction):
    bound, both = (
        VariationalWeighting(*weights).on(ScaledLinearBetas())
        for weights in ((), (0.3, 2.0))
    )
    torch.testing.assert_close(
        both(level, prediction), 2 + 0.3 * bound(level, prediction)
    )


def test_an_unbound_weighting_asks_for_its_schedule(level, prediction):
    weighting = VariationalWeighting()
    weighting.on(ScaledLinearBetas())
    with pytest.raises(ValueError, match=r'use weighting.on\(schedule\)'):
        weighting(level, prediction)


@pytest.mark.parametrize(
    'build, options, message',
    [
        (P2Weighting, dict(gamma=-1), 'gamma=-1 must be >= 0; 0 is off'),
        (P2Weighting, dict(k=0), 'k=0 must be positive'),
        (VariationalWeighting, dict(vlb_weight=-1), 'vlb_weight=-1 must be'),
        (VariationalWeighting, dict(simple_weight=-1), 'simple_weight=-1'),
    ],
)
def test_bad_weights_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
