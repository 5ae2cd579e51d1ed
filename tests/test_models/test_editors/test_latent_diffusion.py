import pytest
import torch

from mmldm.diffusion import add_noise
from mmldm.utils import Draws


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
    draws = Draws.of(samples)
    z_0 = model.autoencoder.encode(inputs, draws.normal('posterior'))
    noise = draws.normal('noise')(z_0)
    level = model.diffusion_scheduler.noise_schedule(t)
    torch.testing.assert_close(z_t, add_noise(z_0, noise, level))
    torch.testing.assert_close(
        loss, (model.denoiser(z_t, t, cond) - noise).square().mean()
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


def test_sampling_starts_from_noise_of_the_first_level(tiny_ldm, samples):
    model = tiny_ldm()
    calls = spy(model.denoiser)
    model.sample(samples)
    level = model.diffusion_scheduler.levels()[0]
    z, t, _ = calls[0]
    noise = Draws.of(samples).normal('start')(z)
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


def test_the_wanted_size_arrives(tiny_ldm, labelled):
    sample = labelled(3, img_shape=(8, 16, 3))
    assert tiny_ldm().predict(None, [sample])[0].pred_img.shape == (3, 8, 16)


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
        (dict(denoiser=dict(out_channels=8)), 'set denoiser.out_channels=4'),
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
    ],
)
def test_parts_that_do_not_fit_are_refused(tiny_ldm, overrides, remedy):
    with pytest.raises(ValueError, match=remedy):
        tiny_ldm(**overrides)


def test_sizes_that_do_not_fit_are_refused(tiny_ldm, labelled):
    model = tiny_ldm(denoiser=dict(channel_mults=(1, 1)))
    for name, size in (('height', (6, 8)), ('width', (8, 6))):
        with pytest.raises(ValueError, match=f'{name}=6 .* to 4 or 8'):
            model.sample([labelled(3, img_shape=size)])


def test_sizes_that_differ_are_refused(tiny_ldm, labelled):
    with pytest.raises(ValueError, match='one img_shape'):
        tiny_ldm().sample([labelled(3), labelled(3, img_shape=(8, 16))])
