import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch.distributions import Normal, kl_divergence

from mmldm.registry import MODELS
from mmldm.utils import Draws


@pytest.fixture
def build(tiny_autoencoder):
    return lambda **options: MODELS.build(
        dict(
            type='FirstStage',
            autoencoder=dict(tiny_autoencoder, latent_scale=0.5),
            **options,
        )
    )


@pytest.fixture
def inputs():
    return torch.rand(2, 3, 8, 8) * 2 - 1


@pytest.fixture
def samples(labelled):
    return [labelled(0, address=(0, i)) for i in range(2)]


def test_the_reconstruction_of_a_posterior_sample_is_compared(
    build, inputs, samples
):
    model = build()
    noise = Draws.of(samples).normal('posterior')
    z = model.autoencoder.encode(inputs, noise)
    error = (model.autoencoder.decode(z) - inputs).abs()
    torch.testing.assert_close(
        model.loss(inputs, samples)['loss_rec'], error.mean()
    )


@pytest.mark.parametrize('kl_weight', [1e-6, 0.1])
def test_kl_counts_with_its_weight_per_pixel_value(
    build, inputs, samples, kl_weight
):
    """As sums over a sample with weight kl_weight, over 3 x 8 x 8."""
    model = build(kl_weight=kl_weight)
    posterior = model.autoencoder.posterior(inputs)
    std = (posterior.log_var / 2).exp()
    kl = kl_divergence(Normal(posterior.mean, std), Normal(0.0, 1.0))
    expected = kl_weight * kl.sum((1, 2, 3)).mean() / (3 * 8 * 8)
    torch.testing.assert_close(
        model.loss(inputs, samples)['loss_kl'], expected
    )


def test_a_step_trains_encoder_and_decoder_on_both_terms(build, samples):
    model = build(kl_weight=1.0)
    batch = dict(
        data_samples=samples,
        inputs=[
            torch.randint(256, (3, 8, 8), dtype=torch.uint8) for _ in range(2)
        ],
    )
    before = copy.deepcopy(model.autoencoder)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    logged = model.train_step(batch, wrapper)
    torch.testing.assert_close(
        logged['loss'], logged['loss_rec'] + logged['loss_kl']
    )
    for name, part in before.named_children():
        trained = getattr(model.autoencoder, name).state_dict()
        assert any(
            (trained[key] != weight).any()
            for key, weight in part.state_dict().items()
        ), name


def test_the_loss_of_samples_is_the_same_in_any_batch(build, inputs, samples):
    model = build()
    whole = model.loss(inputs, samples)
    alone = [model.loss(inputs[i : i + 1], samples[i : i + 1]) for i in (1, 0)]
    for name, loss in whole.items():
        mean = torch.stack([terms[name] for terms in alone]).mean()
        torch.testing.assert_close(mean, loss)


def test_predictions_are_decoded_from_the_mode(build, inputs, samples):
    model = build()
    predicted = model.predict(inputs, samples)
    mode = model.autoencoder.posterior(inputs).mean
    x = model.autoencoder.decode_raw(mode)
    for i, sample in enumerate(predicted):
        for image, of in ((sample.gt_img, inputs), (sample.pred_img, x)):
            expected = ((of[i].clamp(-1, 1) + 1) * 127.5).round()
            torch.testing.assert_close(image.float(), expected, rtol=0, atol=1)


def test_the_runner_calls_loss_and_predict(build, inputs, samples):
    model = build()
    assert model(inputs, samples, mode='loss') == model.loss(inputs, samples)
    assert model(inputs, samples, mode='predict')[0].pred_img.any()


def test_a_negative_kl_weight_is_refused(build):
    with pytest.raises(ValueError, match='kl_weight=-1 must be >= 0'):
        build(kl_weight=-1)
