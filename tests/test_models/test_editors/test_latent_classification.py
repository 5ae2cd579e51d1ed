import pytest
import torch
import torch.nn.functional as F

from mmldm.diffusion import (
    GradientGuidance,
    add_noise,
    classifier_log_prob,
)
from mmldm.registry import MODELS
from mmldm.utils import SampleRandom


@pytest.fixture
def build(ldm_config, awaken):
    """A classifier for the tiny model's latents."""

    def build(scheduler=None, **classifier):
        ldm = ldm_config(diffusion_scheduler=scheduler or {})
        network = dict(
            type='LatentClassifier',
            in_channels=4,
            num_classes=10,
            channel_mults=(1, 2),
            num_res_blocks=1,
            attn_factors=(),
        )
        model = MODELS.build(
            dict(
                type='LatentClassification',
                autoencoder=ldm.autoencoder,
                diffusion_scheduler=ldm.diffusion_scheduler,
                classifier={**network, **classifier},
            )
        )
        awaken(model.classifier)
        return model.eval()

    return build


@pytest.fixture
def samples(labelled):
    return [labelled(i, address=(0, i)) for i in (3, 7, 3)]


@pytest.fixture
def inputs():
    return torch.rand(3, 3, 8, 8) * 2 - 1


def noised(model, inputs, samples, level):
    random = SampleRandom.of(samples)
    z_0 = model.autoencoder.encode(inputs, random.normal('posterior'))
    return add_noise(z_0, random.normal('noise')(z_0), level)


def test_the_loss_is_the_cross_entropy_of_noised_latents(
    build, inputs, samples
):
    model = build()
    losses = model.loss(inputs, samples)
    level = model.diffusion_scheduler.sample_level(SampleRandom.of(samples))
    z_t = noised(model, inputs, samples, level)
    logits = model.classifier(z_t, level.t.float())
    labels = torch.tensor([3, 7, 3])
    torch.testing.assert_close(
        losses['loss_classify'], F.cross_entropy(logits, labels)
    )
    hits = (logits.argmax(1) == labels).float().mean()
    torch.testing.assert_close(losses['accuracy'], hits)
    assert [name for name in losses if 'loss' in name] == ['loss_classify']


def test_the_classifier_alone_learns(build, inputs, samples):
    model = build().train()
    model.loss(inputs, samples)['loss_classify'].backward()
    assert all(w.grad is not None for w in model.classifier.parameters())
    assert all(w.grad is None for w in model.autoencoder.parameters())
    assert not model.autoencoder.training


def test_predictions_are_made_at_several_levels(build, inputs, samples):
    model = build()
    predicted = model.predict(inputs, samples)
    names = ['t_0', 't_250', 't_500', 't_750']
    for name in names:
        level = model.diffusion_scheduler.noise_schedule(float(name[2:]))
        z_t = noised(model, inputs, samples, level)
        with torch.no_grad():
            expected = model.classify(z_t, level).argmax(1).tolist()
        assert [s.pred_labels[name] for s in predicted] == expected
    assert [*predicted[0].pred_labels] == names


def test_the_networks_input_is_scaled_as_the_predictions(build):
    """As the denoiser's, so that it is of unit size at any level."""
    model = build()
    model.diffusion_scheduler.prediction.input_scale = lambda level: 0.25
    level = model.diffusion_scheduler.noise_schedule(500)
    z = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(
        model.classify(z, level),
        model.classifier(z / 4, torch.full((2,), 500.0)),
    )


def test_it_guides_a_diffusion_model(build, tiny_ldm, samples):
    """Towards labels that it then sees in the latents; by any sampler."""
    grid = dict(time_grid=dict(_delete_=True, type='LogSNRGrid'), num_steps=8)
    model, classification = tiny_ldm(diffusion_scheduler=grid), build()
    labels = torch.tensor([1, 2, 4])
    log_prob = classifier_log_prob(classification.classify, labels)
    clean = model.diffusion_scheduler.noise_schedule(0)
    likelihood = []
    for scale in (0.0, 1.0, 4.0):
        z = model.sample(samples, wrap=GradientGuidance(log_prob, scale))
        likelihood.append(log_prob(z, z, clean).mean().item())
    assert likelihood[0] < likelihood[1] < likelihood[2]
    weights = classification.classifier.parameters()
    assert all(weight.grad is None for weight in weights)


def test_what_does_not_fit_is_refused(build, inputs, samples):
    with pytest.raises(ValueError, match='set classifier.in_channels=4'):
        build(in_channels=3)
    with pytest.raises(ValueError, match='7 is not in .0, 5.: set classifier'):
        build(num_classes=5).loss(inputs, samples)
