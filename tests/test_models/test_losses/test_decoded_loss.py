import pytest
import torch

from mmldm.models.losses import DecodedLoss, TrainingStep
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.utils import SampleRandom

DISTANCE = dict(
    type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
)


def decode(z):
    """A decoder in which every channel has another effect on the image."""
    gains = torch.tensor([1.0, 0.5, 0.01]).view(3, 1, 1)
    return (gains * z).repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.fixture(scope='module')
def scheduler():
    return DIFFUSION_SCHEDULERS.build(
        dict(
            type='DiffusionScheduler',
            noise_schedule=dict(type='CosineSchedule'),
            prediction=dict(type='VelocityPrediction'),
            loss_weighting=dict(type='UniformWeighting'),
            timestep_sampler=dict(type='UniformTimesteps', stratified=True),
            time_grid=dict(type='TrailingGrid'),
            solver=dict(type='DDIM'),
            num_steps=4,
        )
    )


@pytest.fixture
def step(scheduler):
    """Builds a training step of the positions, with an output's error."""

    def step(positions=range(8), error=0.0):
        random = SampleRandom([(0, position) for position in positions])
        z_0 = random.normal('latent')(torch.empty(len(positions), 3, 8, 8))
        noise = random.normal('noise')(z_0)
        level = scheduler.sample_level(random)
        match = level.match(z_0)
        z_t = match.alpha * z_0 + match.sigma * noise
        out = scheduler.prediction.target(z_0, noise, level) + error
        return TrainingStep(
            decode=decode,
            scheduler=scheduler,
            inputs=None,
            data_samples=[],
            random=random,
            z_0=z_0,
            noise=noise,
            level=level,
            z_t=z_t,
            cond=None,
            out=out.float().requires_grad_(),
            hidden={},
            iteration=0,
        )

    return step


def test_a_perfect_output_has_no_distance(step):
    terms = DecodedLoss(DISTANCE, max_noise=None)(step())
    assert terms.keys() == {'decoded_pixels', 'decoded_perceptual'}
    assert max(terms.values()) < 1e-5


def test_pixels_count_what_the_decoder_shows(step):
    # An output that is off by 1 gives latents that are off by sigma, as
    # z_0 = alpha z_t - sigma v.
    made = step(error=1.0)
    (term,) = DecodedLoss(pixel_weight=3.0, max_noise=None, share=1)(
        made
    ).values()
    expected = 3 * (1 + 0.5 + 0.01) / 3 * made.level.sigma.mean()
    assert term.item() == pytest.approx(expected.item(), rel=1e-5)


def test_perceptual_distance_is_that_of_the_decoded_images(step, scheduler):
    made = step(error=0.3)
    found = DecodedLoss(
        DISTANCE, perceptual_weight=0.2, max_noise=None, share=1
    )(made)
    estimate = scheduler.to_z_0(made.out, made.z_t, made.level)
    expected = 0.2 * MODELS.build(DISTANCE)(decode(estimate), decode(made.z_0))
    torch.testing.assert_close(
        found['decoded_perceptual'], expected.mean(), rtol=1e-5, atol=1e-6
    )


def test_a_share_of_the_images_is_decoded_for_any_batch(step):
    loss = DecodedLoss(max_noise=None, share=0.25)
    places = loss.chosen(step(range(400)))
    assert 70 < len(places) < 130
    rest = loss.chosen(step(range(37, 400)))
    assert [place - 37 for place in places if place >= 37] == rest


def test_times_of_the_decoded_images_fill_the_range(step):
    """Stratified times of every so-many-th image would be alike."""
    made = step(range(64))
    times = made.level.t[DecodedLoss(max_noise=None, share=0.25).chosen(made)]
    assert times.min() < 300 and times.max() > 700 and times.std() > 200


def test_noisier_latents_than_max_noise_are_left_out(step):
    made = step(range(32))
    noise = made.level.sigma / made.level.alpha
    chosen = DecodedLoss(max_noise=1.0, share=1).chosen(made)
    assert 8 < len(chosen) < 24
    assert [place for place in range(32) if noise[place] <= 1] == chosen


@pytest.mark.parametrize('cut', [3, 4, 7])
def test_mean_over_processes_is_that_of_the_whole_batch(step, cut):
    loss = DecodedLoss(share=0.5)
    whole = loss(step(range(8), error=1.0))['decoded_pixels']
    parts = [range(cut), range(cut, 8)]
    own = [loss(step(part, error=1.0))['decoded_pixels'] for part in parts]
    weighed = sum(
        len(p) / 8 * term for p, term in zip(parts, own, strict=True)
    )
    torch.testing.assert_close(weighed, whole)


def test_a_batch_without_a_chosen_image_has_terms_of_zero(step):
    terms = DecodedLoss(DISTANCE, max_noise=1e-9)(step())
    assert list(terms) == ['decoded_pixels', 'decoded_perceptual']
    assert [term.item() for term in terms.values()] == [0, 0]


def test_the_error_that_is_seen_moves_the_output(step):
    made = step(error=1.0)
    DecodedLoss(max_noise=None, share=1)(made)['decoded_pixels'].backward()
    slopes = made.out.grad.abs().mean((0, 2, 3))
    torch.testing.assert_close(
        slopes / slopes[0], torch.tensor([1.0, 0.5, 0.01])
    )


def test_it_trains_the_denoiser_and_not_the_first_stage(tiny_ldm, labelled):
    model = tiny_ldm(extra_losses=[dict(type='DecodedLoss', share=1)])
    samples = [labelled(3, address=(0, i)) for i in range(4)]
    images = torch.linspace(-1, 1, 4 * 3 * 64).view(4, 3, 8, 8)
    terms = model.loss(images, samples)
    assert {'loss_denoise', 'loss_decoded_pixels'} == {*terms}
    terms['loss_decoded_pixels'].backward()
    assert any(w.grad.any() for w in model.denoiser.parameters())
    assert all(w.grad is None for w in model.autoencoder.parameters())


@pytest.mark.parametrize(
    'arguments, said',
    [
        (dict(share=0), r'share=0 must be in \(0, 1'),
        (dict(max_noise=0), 'max_noise=0 must be positive'),
        (dict(pixel_weight=0), 'pixel_weight=0 must be positive'),
        (dict(perceptual_weight=-1), 'perceptual_weight=-1 must be positive'),
    ],
)
def test_refuses_arguments_out_of_range(arguments, said):
    with pytest.raises(ValueError, match=said):
        DecodedLoss(**arguments)
