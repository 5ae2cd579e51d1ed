import math

import pytest
import torch
import torch.nn.functional as F

from mmldm.diffusion import GradientGuidance, add_noise, image_log_prob
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.utils import SampleRandom


def spy(module):
    """The arguments of every call of the module, as they come."""
    calls = []
    module.register_forward_pre_hook(lambda _, args: calls.append(args))
    return calls


def tokens(model, *labels):
    weight = model.conditioner.embedders[0].embedding.weight
    return weight[list(labels)][:, None]


@pytest.fixture
def samples(labelled):
    return [
        labelled(label, address=(0, i)) for i, label in enumerate((3, 7, 3))
    ]


@pytest.fixture
def inputs():
    return torch.rand(3, 3, 8, 8) * 2 - 1


def has_grad(module):
    return any(
        w.grad is not None and w.grad.any() for w in module.parameters()
    )


def test_the_loss_reaches_denoiser_and_conditioner_alone(
    tiny_ldm, inputs, samples
):
    model = tiny_ldm().train()
    model.loss(inputs, samples)['loss_denoise'].backward()
    assert has_grad(model.denoiser) and has_grad(model.conditioner)
    assert not has_grad(model.autoencoder)


def test_the_loss_is_that_of_the_noise_added_to_scaled_latents(
    tiny_ldm, inputs, samples
):
    model = tiny_ldm(autoencoder=dict(latent_scale=0.3))
    calls = spy(model.denoiser)
    loss = model.loss(inputs, samples)['loss_denoise']
    ((z_t, t, cond),) = calls
    random = SampleRandom.of(samples)
    z_0 = model.autoencoder.encode(inputs, random.normal('posterior'))
    noise = random.normal('noise')(z_0)
    level = model.diffusion_scheduler.noise_schedule(t)
    torch.testing.assert_close(z_t, add_noise(z_0, noise, level))
    torch.testing.assert_close(
        loss, (model.denoiser(z_t, t, cond) - noise).square().mean()
    )


def noised(model, inputs, samples):
    """(z_0, noise, level) of a training step, drawn again."""
    random = SampleRandom.of(samples)
    scheduler = model.diffusion_scheduler
    z_0 = model.autoencoder.encode(inputs, random.normal('posterior'))
    noise = scheduler.draw_noise(random, z_0)
    return z_0, noise, scheduler.sample_level(random)


EDM = dict(
    noise_schedule=dict(_delete_=True, type='VarianceExploding'),
    prediction=dict(_delete_=True, type='EDMPrediction', data_std=0.7),
)


def test_the_input_of_the_denoiser_is_scaled_as_its_prediction_wants(
    tiny_ldm, inputs, samples
):
    """c_in of Karras et al. 2022 in training, c_skip and c_out in sampling."""
    model = tiny_ldm(diffusion_scheduler=EDM)
    calls = spy(model.denoiser)
    model.loss(inputs, samples)
    z_0, noise, level = noised(model, inputs, samples)
    sigma = level.sigma.float()[:, None, None, None]
    c_in = (sigma**2 + 0.7**2).rsqrt()
    torch.testing.assert_close(calls[0][0], c_in * (z_0 + sigma * noise))
    torch.testing.assert_close(calls[0][1], level.t.float())

    level = model.diffusion_scheduler.noise_schedule(600)
    cond = model.conditioner(samples)
    estimate = model.predict_z_0(noise, level, cond)
    z_t, t, _ = calls[1]
    total = level.sigma**2 + 0.7**2
    torch.testing.assert_close(z_t, noise / total.sqrt())
    assert t.tolist() == [600] * 3
    torch.testing.assert_close(
        estimate,
        0.7**2 / total * noise
        + level.sigma * 0.7 / total.sqrt() * model.denoiser(z_t, t, cond),
    )


def test_offset_noise_reaches_input_and_target(tiny_ldm, inputs, samples):
    model = tiny_ldm(diffusion_scheduler=dict(offset_noise=0.5))
    calls = spy(model.denoiser)
    loss = model.loss(inputs, samples)['loss_denoise']
    ((z_t, t, cond),) = calls
    z_0, noise, level = noised(model, inputs, samples)
    assert not torch.equal(
        noise, SampleRandom.of(samples).normal('noise')(z_0)
    )
    torch.testing.assert_close(z_t, add_noise(z_0, noise, level))
    torch.testing.assert_close(
        loss, (model.denoiser(z_t, t, cond) - noise).square().mean()
    )


def test_stratified_times_follow_the_addresses(tiny_ldm, inputs, samples):
    model = tiny_ldm(
        diffusion_scheduler=dict(timestep_sampler=dict(stratified=True))
    )
    calls = spy(model.denoiser)
    model.loss(inputs, samples)
    fraction = SampleRandom.of(samples).stratified('time')
    assert calls[0][1].tolist() == (1000 * fraction).floor().tolist()


def test_log_variances_are_learned_for_every_time(tiny_ldm, inputs, samples):
    model = tiny_ldm(log_variance=dict(type='LearnedLogVariance', init=0.5))
    table = model.log_variance.table
    assert len(table) == 1000
    losses = model.loss(inputs, samples)
    z_0, noise, level = noised(model, inputs, samples)
    plain = tiny_ldm()
    plain.load_state_dict(model.state_dict(), strict=False)
    error = plain.loss(inputs, samples)['loss_denoise']
    torch.testing.assert_close(losses['error'], error)
    half = torch.tensor(0.5)
    expected = error / half.exp() + half
    torch.testing.assert_close(losses['loss_denoise'], expected)
    losses['loss_denoise'].backward()
    assert table.grad.nonzero().flatten().tolist() == sorted(level.t.tolist())
    # mmengine adds up what has 'loss' in its name.
    assert not [name for name in losses if 'loss' in name][1:]
    assert not losses['error'].requires_grad


@pytest.mark.parametrize('simple_weight', [1.0, 0.25])
def test_log_variances_leave_the_variational_term_alone(
    tiny_ldm, inputs, samples, simple_weight
):
    """The original's loss: simple (error / e^s + s) + vlb weighted error."""
    weighting = dict(
        type='VariationalWeighting',
        simple_weight=simple_weight,
        vlb_weight=0.1,
    )
    parts = dict(loss_weighting=dict(_delete_=True, **weighting))
    model = tiny_ldm(
        log_variance=dict(type='LearnedLogVariance', init=-3.0),
        diffusion_scheduler=parts,
    )
    losses = model.loss(inputs, samples)
    z_0, noise, level = noised(model, inputs, samples)
    z_t = add_noise(z_0, noise, level)
    cond = model.conditioner(samples, SampleRandom.of(samples))
    out = model.denoiser(z_t, level.t.float(), cond)
    error = (out - noise).square().mean((1, 2, 3))
    scheduler = model.diffusion_scheduler
    total = scheduler.loss_weighting(level, scheduler.prediction).float()
    bound = (total - simple_weight) * error
    simple = simple_weight * (error / math.exp(-3.0) - 3.0)
    torch.testing.assert_close(
        losses['loss_denoise'], (simple + bound).mean(), rtol=1e-4, atol=1e-5
    )


def test_log_variances_have_the_schedules_length(tiny_ldm):
    with pytest.raises(ValueError, match='noise schedule has 1000: leave it'):
        tiny_ldm(
            log_variance=dict(type='LearnedLogVariance', num_timesteps=10)
        )


def test_training_visits_another_time_for_every_address(
    tiny_ldm, inputs, samples
):
    model = tiny_ldm()
    calls = spy(model.denoiser)
    model.loss(inputs, samples)
    ((_, t, _),) = calls
    assert len(t.unique()) == 3
    assert t.tolist() == t.round().tolist()


def test_the_loss_of_samples_is_the_same_in_any_batch(
    tiny_ldm, inputs, samples
):
    model = tiny_ldm(conditioner=dict(drop_prob=0.5))
    whole = model.loss(inputs, samples)['loss_denoise']
    alone = [
        model.loss(inputs[i : i + 1], samples[i : i + 1])['loss_denoise']
        for i in (2, 0, 1)
    ]
    torch.testing.assert_close(torch.stack(alone).mean(), whole)


def test_the_label_reaches_the_denoiser_in_training(tiny_ldm, inputs, samples):
    model = tiny_ldm()
    calls = spy(model.denoiser)
    model.loss(inputs, samples)
    torch.testing.assert_close(calls[0][2].tokens, tokens(model, 3, 7, 3))


def test_labels_are_dropped_in_training_alone(tiny_ldm, inputs, samples):
    model = tiny_ldm(conditioner=dict(drop_prob=1.0))
    calls = spy(model.denoiser)
    model.loss(inputs, samples)
    model.predict(None, samples)
    torch.testing.assert_close(calls[0][2].tokens, tokens(model, 10, 10, 10))
    torch.testing.assert_close(calls[1][2].tokens, tokens(model, 3, 7, 3))


def test_the_label_changes_the_image(tiny_ldm, labelled):
    model = tiny_ldm()
    three, seven = (
        model.sample([labelled(label, address=(0, 0))]) for label in (3, 7)
    )
    assert not torch.allclose(three, seven, atol=1e-3)


def test_the_address_changes_the_image(tiny_ldm, labelled):
    model = tiny_ldm()
    first, second = model.sample(
        [labelled(3, address=(0, i)) for i in range(2)]
    )
    assert not torch.allclose(first, second, atol=1e-1)


SOLVERS = pytest.mark.parametrize(
    'solver',
    [
        dict(type='DDIM'),
        dict(type='DDIM', eta=1.0),
        dict(_delete_=True, type='Heun'),
        dict(_delete_=True, type='DPMSolverPP'),
    ],
)


@SOLVERS
def test_an_image_is_the_same_in_any_batch(tiny_ldm, samples, solver):
    model = tiny_ldm(diffusion_scheduler=dict(solver=solver, num_steps=3))
    whole = model.sample(samples)
    shuffled = model.sample([samples[i] for i in (2, 0, 1)])
    close = dict(rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(shuffled, whole[[2, 0, 1]], **close)
    for i in range(3):
        alone = model.sample(samples[i : i + 1])
        torch.testing.assert_close(alone, whole[i : i + 1], **close)


def test_a_stochastic_solver_draws_anew_at_every_step(tiny_ldm, samples):
    """Else eta would but shift the image of a single noise."""
    drawn = []
    model = tiny_ldm(diffusion_scheduler=dict(num_steps=3))
    model.diffusion_scheduler.solver = lambda denoise, z, levels, draw_noise: (
        drawn.extend(draw_noise(z) for _ in range(2)) or z
    )
    start = model.sample(samples)
    first, second = drawn
    for a, b in ((first, second), (first, start), (second, start)):
        assert (
            abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])
            < 0.3
        )


@pytest.mark.parametrize('unit_start', [True, False])
def test_the_grid_says_whether_sampling_starts_from_noise_itself(
    tiny_ldm, samples, unit_start
):
    grid = dict(_delete_=True, type='LeadingGrid', unit_start=unit_start)
    model = tiny_ldm(diffusion_scheduler=dict(time_grid=grid, num_steps=4))
    calls = spy(model.denoiser)
    model.sample(samples)
    first = calls[0][0]
    noise = SampleRandom.of(samples).normal('start')(first)
    sigma = model.diffusion_scheduler.levels()[0].sigma
    torch.testing.assert_close(first, noise * (1 if unit_start else sigma))


def test_sampling_starts_from_noise_of_the_first_level(tiny_ldm, samples):
    model = tiny_ldm()
    calls = spy(model.denoiser)
    model.sample(samples)
    level = model.diffusion_scheduler.levels()[0]
    z, t, _ = calls[0]
    noise = SampleRandom.of(samples).normal('start')(z)
    torch.testing.assert_close(z, level.sigma * noise)
    assert t.tolist() == [float(level.t)] * 3


@pytest.mark.parametrize('num_steps', [1, 3])
def test_the_number_of_steps_arrives(tiny_ldm, samples, num_steps):
    model = tiny_ldm(diffusion_scheduler=dict(num_steps=num_steps))
    calls = spy(model.denoiser)
    model.sample(samples)
    assert len(calls) == num_steps


def guided(tiny_ldm, samples, **guidance):
    """One step from the noisy end."""
    torch.manual_seed(1)
    model = tiny_ldm(
        guidance=guidance,
        diffusion_scheduler=dict(
            time_grid=dict(_delete_=True, type='TrailingGrid'), num_steps=1
        ),
    )
    return model.sample(samples)


def test_the_guidance_scale_arrives(tiny_ldm, samples):
    """Affine: one step is linear in what the network outputs."""
    z_0 = [
        guided(tiny_ldm, samples, type='ClassifierFreeGuidance', scale=scale)
        for scale in (0.0, 1.0, 3.0)
    ]
    off = guided(tiny_ldm, samples, type='NoGuidance')
    torch.testing.assert_close(z_0[1], off)
    assert not torch.allclose(z_0[0], off, atol=0.1)
    torch.testing.assert_close(
        z_0[2], z_0[0] + 3 * (off - z_0[0]), rtol=1e-3, atol=1e-2
    )


@pytest.mark.parametrize(
    'guidance',
    [
        dict(type='ClassifierFreeGuidance', scale=2.0),
        dict(type='SlotGuidance', scales=dict(tokens=2.0)),
    ],
)
def test_a_negative_reaches_the_denoiser(
    tiny_ldm, samples, labelled, guidance
):
    """Also where other samples of the batch have none."""
    model = tiny_ldm(guidance=guidance)
    samples[1].negative = labelled(5)
    calls = spy(model.denoiser)
    model.predict(None, samples)
    assert len(calls) == 2
    for z_t, _, cond in calls:
        assert len(z_t) == 6
        torch.testing.assert_close(
            cond.tokens, tokens(model, 10, 5, 10, 3, 7, 3)
        )


def test_guidance_is_left_out_beyond_its_interval(tiny_ldm, samples):
    """The evaluation too, not its result alone."""
    levels = tiny_ldm().diffusion_scheduler.levels()
    first = float(levels[0].sigma / levels[0].alpha)
    model = tiny_ldm(
        guidance=dict(
            type='ClassifierFreeGuidance',
            scale=2.0,
            interval=(0, 0.9 * first),
        )
    )
    calls = spy(model.denoiser)
    model.sample(samples)
    assert [len(z_t) for z_t, *_ in calls] == [3, 6]


def test_rescaling_arrives(tiny_ldm, samples):
    free, rescaled = (
        guided(
            tiny_ldm,
            samples,
            type='ClassifierFreeGuidance',
            scale=3.0,
            rescale=rescale,
        )
        for rescale in (0.0, 1.0)
    )
    ratio = rescaled / free
    assert torch.allclose(ratio, ratio[:, :1, :1, :1].expand_as(ratio))
    assert not torch.allclose(rescaled, free)


def test_a_start_and_levels_are_used(tiny_ldm, samples):
    model = tiny_ldm(diffusion_scheduler=dict(num_steps=3))
    calls = spy(model.denoiser)
    start = torch.randn(3, 4, 6, 6)
    levels = model.diffusion_scheduler.levels()[1:]
    model.sample(samples, start=start, levels=levels)
    assert torch.equal(calls[0][0], start)
    visited = [float(t[0]) for _, t, _ in calls]
    assert visited == pytest.approx([float(x.t) for x in levels[:-1]])


def test_a_wrapper_sees_the_guided_estimate(tiny_ldm, samples):
    """And the solver what it makes of it."""
    model = tiny_ldm(guidance=dict(type='ClassifierFreeGuidance', scale=2.0))
    seen = []

    def wrap(denoise):
        def wrapped(z, level):
            seen.append((z, level, denoise(z, level)))
            return torch.full_like(z, 0.25)

        return wrapped

    z_0 = model.sample(samples, wrap=wrap)
    torch.testing.assert_close(z_0, torch.full_like(z_0, 0.25))
    z, level, estimate = seen[0]
    with torch.no_grad():
        expected = model.denoise_for(samples)(z, level)
    torch.testing.assert_close(estimate, expected)


def test_gradient_guidance_reaches_the_decoder_and_leaves_no_gradient(
    tiny_ldm, samples
):
    """Images drawn towards a target, the more the larger the scale."""
    model = tiny_ldm(guidance=dict(type='ClassifierFreeGuidance', scale=2.0))
    target = torch.zeros(3, 3, 2, 2)
    decode = model.autoencoder.decode
    log_prob = image_log_prob(decode, lambda x: F.avg_pool2d(x, 4), target)
    error = [
        decode(model.sample(samples, wrap=GradientGuidance(log_prob, scale)))
        .square()
        .mean()
        for scale in (0.0, 0.3, 1.0)
    ]
    assert error[0] > error[1] > error[2]
    assert all(weight.grad is None for weight in model.parameters())


def test_predictions_are_images_of_their_latents(tiny_ldm, samples):
    model = tiny_ldm()
    predicted = model.predict(None, samples)
    x = model.autoencoder.decode(model.sample(samples))
    assert predicted is samples
    for sample, image in zip(predicted, x, strict=True):
        expected = ((image.clamp(-1, 1) + 1) * 127.5).round()
        torch.testing.assert_close(
            sample.pred_img.float(), expected, rtol=0, atol=1
        )
        assert sample.pred_img.dtype == torch.uint8


@pytest.mark.parametrize('size', [(8, 16), (6, 8), (5, 13), (3, 4)])
def test_the_wanted_size_arrives(tiny_ldm, labelled, size):
    """Whether or not autoencoder and denoiser, of factor 2 each, divide it."""
    model = tiny_ldm(denoiser=dict(channel_mults=(1, 1)))
    sample = labelled(3, address=(0, 0), img_shape=(*size, 3))
    (predicted,) = model.predict(None, [sample])
    assert predicted.pred_img.shape == (3, *size)
    z = model.sample([sample])
    assert z.shape[2:] == tuple((side + 1) // 2 for side in size)
    images = to_images(model.autoencoder.decode(z))
    assert torch.equal(predicted.pred_img, images[0, :, : size[0], : size[1]])


def test_images_of_any_size_train(tiny_ldm, labelled):
    model = tiny_ldm(denoiser=dict(channel_mults=(1, 1)))
    images = torch.rand(1, 3, 5, 7) * 2 - 1
    losses = model.loss(images, [labelled(3, address=(0, 0))])
    assert losses['loss_denoise'].isfinite()


def test_the_runner_calls_loss_and_predict(tiny_ldm, inputs, samples):
    model = tiny_ldm()
    assert model(inputs, samples, mode='loss') == model.loss(inputs, samples)
    assert model(None, samples, mode='predict')[0].pred_img.any()


def test_an_unconditional_model_is_told_nothing(tiny_ldm, inputs, samples):
    model = tiny_ldm(
        conditioner=dict(embedders=[]), denoiser=dict(context_dim=None)
    )
    calls = spy(model.denoiser)
    model.loss(inputs, samples)['loss_denoise'].backward()
    model.predict(None, samples)
    for _, _, cond in calls:
        assert cond.tokens is cond.vector is cond.spatial is None


@pytest.mark.parametrize(
    'overrides, remedy',
    [
        (dict(denoiser=dict(in_channels=5)), 'set denoiser.in_channels=4'),
        (dict(denoiser=dict(out_channels=5)), 'set denoiser.out_channels=4'),
        (
            dict(denoiser=dict(out_channels=8)),
            'set denoiser.out_channels=4, or, .* diffusion_scheduler.variance',
        ),
        (dict(denoiser=dict(context_dim=16)), 'set denoiser.context_dim=8'),
        (dict(denoiser=dict(context_dim=None)), 'set denoiser.context_dim=8'),
        (dict(denoiser=dict(vector_dim=8)), 'set denoiser.vector_dim=None'),
        (
            dict(autoencoder=dict(latent_channels=3)),
            'set denoiser.in_channels=3',
        ),
        (
            dict(
                conditioner=dict(embedders=[]),
                denoiser=dict(context_dim=None),
                guidance=dict(type='ClassifierFreeGuidance', scale=2.0),
            ),
            "type='NoGuidance'",
        ),
        (
            dict(guidance=dict(type='AutoGuidance', scale=2.0)),
            'set model.guide to the config of the weaker',
        ),
        (
            dict(guidance=dict(type='SlotGuidance', scales=dict(spatial=2.0))),
            "names 'spatial', but the conditioner fills .'tokens'.: remove",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(tiny_ldm, overrides, remedy):
    with pytest.raises(ValueError, match=remedy):
        tiny_ldm(**overrides)


def test_sizes_that_differ_are_refused(tiny_ldm, labelled):
    with pytest.raises(ValueError, match='one img_shape'):
        tiny_ldm().sample([labelled(3), labelled(3, img_shape=(8, 16))])


def test_a_negative_that_nothing_reads_is_refused(tiny_ldm, labelled):
    sample = labelled(3, address=(0, 0))
    sample.negative = labelled(5)
    with pytest.raises(ValueError, match='NoGuidance ignores: leave it out'):
        tiny_ldm().sample([sample])


def test_without_guidance_the_null_condition_is_not_made(tiny_ldm, labelled):
    model = tiny_ldm()
    made = []
    model.conditioner.embedders[0].register_forward_hook(
        lambda *_: made.append(1)
    )
    model.sample([labelled(3, address=(0, 0))])
    assert len(made) == 1


def test_a_bfloat16_model_trains_and_samples(tiny_ldm, labelled):
    """Solvers and losses stay in float32."""
    model = tiny_ldm()
    samples = [labelled(3, address=(0, 0))]
    expected = model.sample(samples)
    images = torch.rand(1, 3, 8, 8) * 2 - 1
    model.to(torch.bfloat16)
    z = model.sample(samples)
    assert z.dtype == torch.float32
    assert (z - expected).norm() < 0.1 * expected.norm()
    assert model.predict(None, samples)[0].pred_img.dtype == torch.uint8
    losses = model.loss(images.bfloat16(), samples)
    assert losses['loss_denoise'].dtype == torch.float32
    assert model.vary(images.bfloat16(), samples, 0.5).isfinite().all()
