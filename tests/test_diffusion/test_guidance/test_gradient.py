import pytest
import torch
from torch import nn

from mmldm.diffusion import (
    DDIM,
    ClassifierFreeGuidance,
    GradientGuidance,
    LogSNRGrid,
    NoiseLevel,
    RectifiedFlow,
    ScaledLinearBetas,
    classifier_log_prob,
    image_log_prob,
)
from mmldm.structures import Condition

TAU = 0.3  # deviation of what is measured
Y = torch.tensor([[1.2], [-0.5]], dtype=torch.float64)
Z = torch.tensor([[0.4], [-0.9]], dtype=torch.float64)


def measured(gaussian):
    """log p(y | z_t), exactly, where y is z_0 plus noise of deviation TAU."""

    def log_prob(z_0, z_t, level):
        remaining = gaussian.s * level.sigma / gaussian.std(level)
        variance = remaining**2 + TAU**2
        return -0.5 * ((Y - z_0).square() / variance).sum(1)

    return log_prob


def posterior_mean(gaussian, z_t, level):
    """E[z_0 | z_t, y]: means of three Gaussians by their precisions."""
    precisions = (
        gaussian.s**-2,
        (level.alpha / level.sigma) ** 2,
        TAU**-2,
    )
    means = (gaussian.mu, z_t / level.alpha, Y)
    return sum(p * m for p, m in zip(precisions, means, strict=True)) / sum(
        precisions
    )


@pytest.mark.parametrize('t', [1, 200, 500, 999])
@pytest.mark.parametrize('schedule', [ScaledLinearBetas(), RectifiedFlow()])
def test_the_guided_estimate_is_that_of_the_posterior(gaussian, schedule, t):
    level = schedule(t)
    denoise = GradientGuidance(measured(gaussian))(gaussian.denoise)
    torch.testing.assert_close(
        denoise(Z, level), posterior_mean(gaussian, Z, level)
    )


@pytest.mark.parametrize('scale', [0.0, 0.5, 2.0])
def test_guidance_is_linear_in_its_scale(gaussian, scale):
    level = ScaledLinearBetas()(500)
    plain, full, scaled = (
        GradientGuidance(measured(gaussian), s)(gaussian.denoise)(Z, level)
        for s in (0.0, 1.0, scale)
    )
    assert torch.equal(plain, gaussian.denoise(Z, level))
    torch.testing.assert_close(scaled, plain + scale * (full - plain))


def test_samples_follow_the_posterior(gaussian):
    """Of z_0 given y: here the mean is what the flow takes the mean to."""
    levels = LogSNRGrid()(ScaledLinearBetas(), 400)
    denoise = GradientGuidance(measured(gaussian))(gaussian.denoise)
    precision = gaussian.s**-2 + TAU**-2
    mean = (gaussian.mu * gaussian.s**-2 + Y * TAU**-2) / precision
    with torch.no_grad():
        z_0 = DDIM()(denoise, levels[0].alpha * mean, levels)
    torch.testing.assert_close(z_0, mean, rtol=0, atol=2e-3)


def test_pure_noise_gives_the_plain_estimate(gaussian):
    zero, one = torch.tensor([0.0, 1.0], dtype=torch.float64)
    level = NoiseLevel(one, zero, one)
    guided = GradientGuidance(measured(gaussian))(gaussian.denoise)
    assert torch.equal(guided(Z, level), gaussian.denoise(Z, level))


def test_it_is_differentiated_through_networks_that_stay_untouched():
    """In spite of the sampler's no_grad; through the decoder too."""
    level = ScaledLinearBetas()(500)
    denoiser, decoder = nn.Linear(4, 4), nn.Linear(4, 6)
    z_t, target = torch.randn(2, 4), torch.randn(2, 3)
    log_prob = image_log_prob(decoder, lambda x: x[:, :3], target)
    guidance = GradientGuidance(log_prob, scale=0.7)
    with torch.no_grad():
        guided = guidance(lambda z, level: denoiser(z))(z_t, level)
    assert not guided.requires_grad
    assert not z_t.requires_grad
    for module in (denoiser, decoder):
        assert all(weight.grad is None for weight in module.parameters())
    # Linear: |y - P D E z_t|^2 / 2 has the gradient -(P D E)^T (y - ...).
    z_0 = denoiser(z_t)
    error = target - decoder(z_0)[:, :3]
    gradient = error @ decoder.weight[:3] @ denoiser.weight
    weight = 0.7 * level.sigma**2 / level.alpha
    torch.testing.assert_close(guided, z_0 + weight.float() * gradient)


def test_no_step_keeps_the_graph_of_the_one_before():
    """Outside of no_grad too: memory would grow with every step."""
    denoiser = nn.Linear(4, 4)
    guided = GradientGuidance(lambda z_0, z_t, level: z_0.sum(1))(
        lambda z, level: denoiser(z)
    )
    z = guided(torch.randn(2, 4), ScaledLinearBetas()(500))
    assert not z.requires_grad


def test_it_goes_with_classifier_free_guidance(gaussian):
    """Differentiates the estimate that guidance makes of two."""
    level = ScaledLinearBetas()(500)
    cond, null = (Condition(vector=torch.full((2, 1), v)) for v in (1.0, 0.0))
    free = ClassifierFreeGuidance(3.0)(
        lambda z, level, c: z * (1 + c.vector), cond, null
    )
    assert torch.equal(free(Z, level), 4 * Z)
    guided = GradientGuidance(lambda z_0, z_t, level: z_0.sum(1))(free)
    step = level.sigma**2 / level.alpha
    torch.testing.assert_close(guided(Z, level), 4 * Z + 4 * step)


def test_a_classifier_guides_to_its_labels():
    """Two Gaussians of deviation 1 at the level: their log-odds are linear."""
    level = ScaledLinearBetas()(500)
    centres = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)

    def classify(z_t, at):
        assert at is level
        return -0.5 * (z_t - centres.T).square()

    labels = torch.tensor([0, 1])
    log_prob = classifier_log_prob(classify, labels)
    guided = GradientGuidance(log_prob)(lambda z, level: 0 * z)
    # d log p(k | z) / dz = c_k - E[c | z].
    expected = centres[labels] - Z.tanh()
    step = level.sigma**2 / level.alpha
    torch.testing.assert_close(guided(Z, level), step * expected)


@pytest.mark.parametrize(
    'log_prob, message',
    [
        (
            lambda z_0, z_t, level: z_0.sum(),
            r'shape \(\), expected \(2,\): sum over all axes but the first',
        ),
        (lambda z_0, z_t, level: z_0.detach().sum(1), 'has no gradient'),
        (
            image_log_prob(lambda z: z, lambda x: x, torch.zeros(2, 3)),
            r'transform gives the shape \(2, 1\), but target has \(2, 3\)',
        ),
    ],
)
def test_a_wrong_log_probability_is_refused(gaussian, log_prob, message):
    denoise = GradientGuidance(log_prob)(gaussian.denoise)
    with pytest.raises(ValueError, match=message):
        denoise(Z, ScaledLinearBetas()(500))


def test_a_negative_scale_is_refused(gaussian):
    with pytest.raises(ValueError, match='scale=-1 must be >= 0; 0 is off'):
        GradientGuidance(measured(gaussian), -1)
