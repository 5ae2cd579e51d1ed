import copy

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn
from torch.distributions import Normal, kl_divergence

from mmldm.engine import AutocastOptimWrapper
from mmldm.models.autoencoders import Coding, DiagonalGaussian
from mmldm.models.editors.first_stage_hash import first_stage_hash
from mmldm.models.losses.latent_noise import with_noise
from mmldm.registry import MODELS
from mmldm.utils import SampleRandom
from mmldm.utils.checkpoint import load_weights, write_checkpoint

ADVERSARIAL = dict(
    type='AdversarialLoss',
    discriminator=dict(type='PatchDiscriminator', channels=4, num_layers=1),
    weight=0.5,
    start=3,
    lead=1,
)


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
    noise = SampleRandom.of(samples).normal('posterior')
    z = model.autoencoder.encode(inputs, noise)
    error = (model.autoencoder.decode(z) - inputs).abs()
    torch.testing.assert_close(
        model.loss(inputs, samples)['loss_rec'], error.mean()
    )


@pytest.mark.parametrize('weight', [1e-6, 0.1])
def test_kl_counts_with_its_weight_per_pixel_value(
    build, inputs, samples, weight
):
    """As sums over a sample with this weight, over 3 x 8 x 8."""
    model = build(regularization_weight=weight)
    posterior = model.autoencoder.posterior(inputs)
    std = (posterior.log_var / 2).exp()
    kl = kl_divergence(Normal(posterior.mean, std), Normal(0.0, 1.0))
    expected = weight * kl.sum((1, 2, 3)).mean() / (3 * 8 * 8)
    torch.testing.assert_close(
        model.loss(inputs, samples)['loss_kl'], expected
    )


def test_a_step_trains_encoder_and_decoder_on_both_terms(build, batch):
    model = build(regularization_weight=1.0)
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


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(regularization_weight=-1), 'regularization_weight=-1 must be'),
        (dict(perceptual_weight=-1), 'perceptual_weight=-1 must be positive'),
        (dict(pixel_loss='l3'), "pixel_loss='l3' is not known"),
    ],
)
def test_bad_options_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_the_pixel_loss_asked_for_arrives(build, inputs, samples):
    model = build(pixel_loss='l2')
    noise = SampleRandom.of(samples).normal('posterior')
    x = model.autoencoder.decode(model.autoencoder.encode(inputs, noise))
    torch.testing.assert_close(
        model.loss(inputs, samples)['loss_rec'], (x - inputs).square().mean()
    )


def test_the_perceptual_loss_counts_with_its_weight(build, inputs, samples):
    pyramid = dict(type='LaplacianPyramidLoss', num_levels=2)
    model = build(perceptual=pyramid, perceptual_weight=0.3)
    noise = SampleRandom.of(samples).normal('posterior')
    x = model.autoencoder.decode(model.autoencoder.encode(inputs, noise))
    expected = 0.3 * MODELS.build(pyramid)(x, inputs).mean()
    losses = model.loss(inputs, samples)
    torch.testing.assert_close(losses['loss_perceptual'], expected)


def test_images_of_any_size_are_trained_on_and_given_back(build, samples):
    inputs = torch.rand(2, 3, 7, 9) * 2 - 1
    model = build()
    assert model.loss(inputs, samples)['loss_rec'].isfinite()
    for sample in model.predict(inputs, samples):
        assert sample.pred_img.shape == sample.gt_img.shape == (3, 7, 9)


def test_transformed_latents_are_compared_with_transformed_images(
    build, inputs, samples
):
    """The draw is that of (seed, iteration), alike for all processes."""
    equivariance = dict(type='Equivariance', prob=1.0)
    model = build(equivariance=equivariance)
    posterior = model.autoencoder.posterior(inputs)
    z = posterior.sample(SampleRandom.of(samples).normal('posterior'))
    seen = set()
    for iteration in range(4):
        transform = MODELS.build(equivariance).draw((0, iteration))
        x = model.autoencoder.decode_for_training(transform(z, 1))
        error = (x - transform(inputs, model.autoencoder.factor)).abs().mean()
        found = model.loss(inputs, samples, iteration)['loss_rec']
        torch.testing.assert_close(found, error)
        seen.add(found.item())
    assert len(seen) == 4


def test_noise_on_latents_is_relative_to_their_deviation(
    build, inputs, samples
):
    """Of one channel of the batch; |N(0, 1)| times the option an image."""
    model = build(latent_noise=0.5)
    random = SampleRandom.of(samples)
    z = model.autoencoder.posterior(inputs).sample(random.normal('posterior'))
    for scale in (1, 100):
        noisy = with_noise(scale * z, 0.5, random)
        noise = random.normal('latent_noise')(z)
        parts = (noisy - scale * z) / noise / scale
        level = random.normal('latent_noise/level')(torch.zeros(2, 1, 1, 1))
        expected = 0.5 * level.abs() * z.std((0, 2, 3), keepdim=True)
        torch.testing.assert_close(
            parts, expected.expand_as(parts), rtol=1e-3, atol=1e-4
        )
    error = (
        model.autoencoder.decode_for_training(with_noise(z, 0.5, random))
        - inputs
    )
    torch.testing.assert_close(
        model.loss(inputs, samples)['loss_rec'], error.abs().mean()
    )
    with pytest.raises(ValueError, match='latent_noise=1.5'):
        build(latent_noise=1.5)


def test_images_that_a_transform_makes_too_small_are_refused_at_once(
    build, batch
):
    """Not hours later, when such a one is drawn."""
    model = build(
        perceptual=dict(type='LaplacianPyramidLoss', num_levels=3),
        equivariance=dict(type='Equivariance', min_scale=0.5),
    )
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
    message = r'by up to 0.5 .* sides of 4 pixels, .*model.perceptual needs 5'
    with pytest.raises(ValueError, match=message):
        model.train_step(batch, wrapper)


def test_images_too_small_for_the_discriminator_are_refused_at_once(
    build, batch
):
    """Not when its phase begins."""
    discriminator = dict(type='PatchDiscriminator', num_layers=2)
    model = build(adversarial=dict(ADVERSARIAL, discriminator=discriminator))
    with pytest.raises(
        ValueError, match='sides of 8 pixels, but .*or needs 12'
    ):
        model.train_step(batch, wrappers(model))


def wrappers(model, kind=OptimWrapper, lr=1e-3, **options):
    parts = ('autoencoder', 'adversarial')
    return OptimWrapperDict(
        **{
            name: kind(
                optimizer=torch.optim.SGD(
                    getattr(model, name).parameters(), lr=lr
                ),
                **options,
            )
            for name in parts
        }
    )


@pytest.fixture
def batch(samples):
    return dict(
        data_samples=samples,
        inputs=[
            torch.randint(256, (3, 8, 8), dtype=torch.uint8) for _ in range(2)
        ],
        iteration=0,
    )


def changed(module, before):
    return any(
        (weight != before[name]).any()
        for name, weight in module.named_parameters()
    )


def test_the_discriminator_leads_then_the_autoencoder_hears_of_it(
    build, batch
):
    model = build(adversarial=ADVERSARIAL)
    optimizers = wrappers(model)
    for iteration in range(5):
        batch['iteration'] = iteration
        before = {
            name: weight.detach().clone()
            for name, weight in model.adversarial.named_parameters()
        }
        logged = model.train_step(batch, optimizers)
        assert changed(model.adversarial, before) == (iteration >= 2)
        assert ('loss_discriminator' in logged) == (iteration >= 2)
        assert ('loss_adversarial' in logged) == (iteration >= 3)
        terms = ('loss_rec', 'loss_kl', 'loss_adversarial')
        torch.testing.assert_close(
            logged['loss'], sum(logged.get(term, 0) for term in terms)
        )


def test_an_iteration_passes_the_autoencoder_once(build, batch):
    model = build(adversarial=ADVERSARIAL)
    passes = []
    model.autoencoder.encoder.register_forward_hook(
        lambda *_: passes.append(1)
    )
    batch['iteration'] = 3
    model.train_step(batch, wrappers(model))
    assert passes == [1]


def test_accumulated_gradients_are_those_of_one_batch(build, batch):
    """But for the discriminator, whose batch statistics differ."""
    model = build(adversarial={**ADVERSARIAL, 'start': 3})
    whole, parts = model, copy.deepcopy(model)
    whole.train_step(batch, wrappers(whole, lr=0.1))
    optimizers = wrappers(parts, lr=0.1, accumulative_counts=2)
    for i in range(2):
        half = {k: batch[k][i : i + 1] for k in ('inputs', 'data_samples')}
        parts.train_step({**batch, **half}, optimizers)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_start_between_two_steps_of_the_optimizer_is_refused(build, batch):
    model = build(adversarial={**ADVERSARIAL, 'start': 4})
    batch['iteration'] = 3
    with pytest.raises(ValueError, match='lead=3 is not divisible'):
        model.train_step(batch, wrappers(model, accumulative_counts=2))


@pytest.mark.parametrize('adversarial', [None, ADVERSARIAL])
def test_the_wrong_optimizers_are_refused(build, batch, adversarial):
    model = build(adversarial=adversarial)
    optimizers = (
        OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
        if adversarial
        else OptimWrapperDict(
            autoencoder=OptimWrapper(
                torch.optim.SGD(model.parameters(), lr=1.0)
            ),
            adversarial=OptimWrapper(
                torch.optim.SGD(model.parameters(), lr=1.0)
            ),
        )
    )
    with pytest.raises(ValueError, match='inherit the schedule adam_auto'):
        model.train_step(batch, optimizers)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_mixed_precision_gives_nearly_the_losses_of_float32(
    build, batch, dtype
):
    exact = build(adversarial=ADVERSARIAL)
    mixed = copy.deepcopy(exact)
    batch['iteration'] = 3
    expected = exact.train_step(batch, wrappers(exact))
    optimizers = wrappers(mixed, AutocastOptimWrapper, dtype=dtype)
    # Where the scaler of float16 ends on so small a model.
    optimizers['autoencoder'].scaler = torch.amp.GradScaler(
        'cpu', init_scale=256.0, enabled=dtype == 'float16'
    )
    found = mixed.train_step(batch, optimizers)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        # The ratio of two gradients through all layers is less exact.
        tolerance = 0.2 if name == 'adaptive_weight' else 0.02
        torch.testing.assert_close(
            found[name], value, rtol=tolerance, atol=0.01
        )


def test_gradients_of_float16_that_overflow_leave_the_step_out(build, batch):
    model = build(adversarial=ADVERSARIAL)
    before = copy.deepcopy(model.autoencoder)
    optimizers = wrappers(model, AutocastOptimWrapper, dtype='float16')
    scaler = optimizers['autoencoder'].scaler = torch.amp.GradScaler(
        'cpu', init_scale=2.0**40
    )
    batch['iteration'] = 3
    assert model.train_step(batch, optimizers)['loss'].isfinite()
    assert not changed(model.autoencoder, dict(before.named_parameters()))
    assert scaler.get_scale() == 2.0**39


@pytest.mark.parametrize('of_file', [None, ADVERSARIAL])
@pytest.mark.parametrize('of_model', [None, ADVERSARIAL])
def test_an_autoencoder_is_loaded_with_and_without_its_discriminator(
    build, of_file, of_model
):
    stored, model = build(adversarial=of_file), build(adversarial=of_model)
    own = copy.deepcopy(model.adversarial)
    load_weights(model, stored.state_dict(), 'file.pth')
    for name, weight in stored.autoencoder.state_dict().items():
        assert weight.equal(model.autoencoder.state_dict()[name]), name
    if of_model:
        wanted = (stored.adversarial if of_file else own).state_dict()
        for name, weight in model.adversarial.state_dict().items():
            assert weight.equal(wanted[name]), name


class LastLayer(nn.Module):
    """An autoencoder of which only the last layer is there."""

    factor = 1

    def __init__(self, hidden, losses):
        super().__init__()
        self.conv = nn.Conv2d(8, 3, 3, padding=1)
        self.hidden = hidden
        self.losses = losses
        self.last_weight = self.conv.weight

    def pad(self, x):
        return x

    def encode_for_training(self, x, draw_noise, transform):
        return Coding(transform(self.hidden), self.losses, {})

    def decode_for_training(self, z):
        return self.conv(z)


PIXELS = 3 * 64 * 64


def lpips(reference, case, folder):
    """LPIPS with the weights of a case, read from files."""
    files = dict(
        vgg=reference.vgg_weights(case, slices=False),
        linear=reference.linear_weights(case),
    )
    for name, weights in files.items():
        write_checkpoint(weights, folder / f'{name}.pth')
    return dict(
        type='LPIPS',
        vgg_weights=str(folder / 'vgg.pth'),
        linear_weights=str(folder / 'linear.pth'),
    )


def regularizer(reference, case, inputs):
    """The loss of the bottleneck, as the autoencoders compute it."""
    if case == 'vq':
        return dict(codebook=torch.tensor(0.37))
    moments = reference.gaussian('loss_kl/moments', (2, 6, 16, 16))
    kl = DiagonalGaussian(moments).kl().mean() / inputs[0].numel()
    return dict(kl=kl)


@pytest.mark.parametrize(
    'case, num_layers, loss, weight, regularization_weight, unit',
    [('kl', 3, 'hinge', 0.5, 1e-6, PIXELS), ('vq', 2, 'hinge', 0.75, 1, 1)],
)
def test_losses_are_those_of_the_original(
    reference,
    labelled,
    tmp_path,
    tiny_autoencoder,
    case,
    num_layers,
    loss,
    weight,
    regularization_weight,
    unit,
):
    """The original sums the terms of KL models over an image: ``unit``."""
    name = f'loss_{case}'
    expected = reference.values(f'first_stage_{name}')
    inputs = reference.gaussian(f'{name}/image', (2, 3, 64, 64)).clamp(-1, 1)
    codec = LastLayer(reference.gaussian(f'{name}/hidden', (2, 8, 64, 64)), {})
    reference.fill(codec.conv, f'{name}.last.')
    model = MODELS.build(
        dict(
            type='FirstStage',
            autoencoder=tiny_autoencoder,
            regularization_weight=regularization_weight,
            perceptual=lpips(reference, name, tmp_path),
            adversarial=dict(
                type='AdversarialLoss',
                discriminator=dict(
                    type='PatchDiscriminator', num_layers=num_layers
                ),
                weight=weight,
                start=10,
                lead=10,
                loss=loss,
            ),
        )
    )
    model.autoencoder = codec
    discriminator = model.adversarial.discriminator
    reference.fill(discriminator, f'{name}.discriminator.main.')
    codec.losses = regularizer(reference, case, inputs)
    samples = [labelled(0, address=(0, i)) for i in range(2)]
    for step in (9, 10):
        losses, x, target = model._losses(inputs, samples, step)
        if step == 9:
            # The original judges, and updates batch statistics, before it
            # counts.
            model.adversarial.generator_loss(x)
        judged = model.adversarial.discriminator_losses(x, target)
        found = {
            'generator_total': unit
            * sum(v for k, v in losses.items() if k.startswith('loss')),
            'nll_loss': unit
            * (losses['loss_rec'] + losses['loss_perceptual']),
            'logits_real': judged['logits_real'],
            'logits_fake': judged['logits_fake'],
        }
        if step == 10:
            found['d_weight'] = unit * weight * losses['adaptive_weight']
            found['discriminator_total'] = judged['loss_discriminator']
            found['g_loss'] = -judged['logits_fake']
        for key, value in found.items():
            torch.testing.assert_close(
                value.detach(),
                expected[f'step{step}/{key}'],
                rtol=1e-5,
                atol=0,
            )
    logits = discriminator.eval()(inputs).detach()
    wanted = expected['disc_logits_eval_after']
    scale = wanted.abs().max()
    torch.testing.assert_close(
        logits / scale, wanted / scale, rtol=0, atol=1e-4
    )


CODEBOOK = dict(
    type='AutoencoderVQ',
    quantizer=dict(num_codes=16, ema_decay=0.9),
    latent_channels=4,
    channels=32,
    channel_mults=(1, 1),
    num_res_blocks=1,
    mid_attention=False,
)


@pytest.mark.parametrize('kind', ['AutoencoderKL', 'AutoencoderVQ'])
def test_the_decoder_alone_is_trained(tiny_autoencoder, batch, kind):
    """Latents stay as they are, and so does a codebook, which has averages."""
    config = CODEBOOK if kind == 'AutoencoderVQ' else tiny_autoencoder
    model = MODELS.build(
        dict(type='FirstStage', autoencoder=config, trained='decoder')
    )
    model.train()
    before = copy.deepcopy(model.autoencoder.state_dict())
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-1))
    model.train_step(batch, wrapper)
    changed = {
        name.partition('.')[0]
        for name, weight in model.autoencoder.state_dict().items()
        if not torch.equal(weight, before[name])
    }
    assert changed == {'decoder', 'post_quant_conv'}


def test_a_decoder_begins_from_the_first_stage_in_a_whole_model(
    tiny_ldm, build
):
    """It notes whose latents it decodes, also when it is trained again."""
    whole = tiny_ldm(autoencoder=dict(latent_scale=0.7))
    model = build(trained='decoder')
    load_weights(model, whole.state_dict(), 'model.safetensors')
    assert model.autoencoder.latent_scale.unique() == torch.tensor(0.7)
    own = whole.state_dict()
    assert torch.equal(model.origin_hash, first_stage_hash(own))
    model.autoencoder.decoder[0].weight.data += 1
    again = build(trained='decoder')
    load_weights(again, model.state_dict(), 'iter_1.pth')
    assert torch.equal(again.origin_hash, model.origin_hash)
    # A training of all of it has other latents.
    load_weights(build(), model.state_dict(), 'iter_1.pth')


def test_an_autoencoder_that_does_not_say_what_decodes_is_refused():
    config = dict(type='IdentityAutoencoder')
    with pytest.raises(ValueError, match='IdentityAutoencoder, .*set trained'):
        MODELS.build(
            dict(type='FirstStage', autoencoder=config, trained='decoder')
        )
