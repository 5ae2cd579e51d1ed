"""Latents of videos, (B, C, T, h, w), on the floor of the process."""

import pytest
import torch

from mmldm import diffusion
from mmldm.diffusion import DiffusionScheduler, Windows, add_noise
from mmldm.diffusion.editing import keep_known
from mmldm.models.autoencoders import IdentityAutoencoder
from mmldm.structures import Condition
from mmldm.utils import SampleRandom

SHAPE = (2, 4, 3, 5, 6)
DRAWS = SampleRandom([(0, i) for i in range(2)])


def scheduler(**options):
    parts = dict(
        noise_schedule=dict(type='ScaledLinearBetas'),
        prediction=dict(type='VelocityPrediction'),
        loss_weighting=dict(type='MinSNRWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=dict(type='LinspaceGrid'),
        solver=dict(type='DDIM'),
        num_steps=6,
    )
    return DiffusionScheduler(**{**parts, **options})


@pytest.fixture
def video():
    return torch.randn(SHAPE)


@pytest.mark.parametrize(
    'prediction', ['Epsilon', 'Sample', 'Velocity', 'Flow', 'EDM']
)
def test_each_sample_has_its_noise_and_its_loss(video, prediction):
    """As of the same latents with the frames side by side."""
    process = scheduler(prediction=dict(type=f'{prediction}Prediction'))
    level = process.sample_level(DRAWS)
    noise = process.draw_noise(DRAWS, video)
    out = torch.randn(SHAPE)
    flat = [x.flatten(2, 3) for x in (out, video, noise)]
    torch.testing.assert_close(
        process.errors(out, video, noise, level), process.errors(*flat, level)
    )
    z_t = add_noise(video, noise, level)
    assert torch.equal(z_t.flatten(2, 3), add_noise(*flat[1:], level))
    z_in, t = process.network_input(z_t, level)
    assert z_in.shape == SHAPE and t.shape == (2,)
    torch.testing.assert_close(
        process.prediction.to_z_0(out, z_t, level).flatten(2, 3),
        process.prediction.to_z_0(flat[0], z_t.flatten(2, 3), level),
    )


def test_a_direction_is_that_of_channels_at_a_place(video):
    process = scheduler(direction_weight=1.0)
    level = process.sample_level(DRAWS)
    noise = torch.randn(SHAPE)
    out = torch.randn(SHAPE)
    flat = [x.flatten(2, 3) for x in (out, video, noise)]
    torch.testing.assert_close(
        process.errors(out, video, noise, level), process.errors(*flat, level)
    )


def test_offset_noise_is_shared_by_all_frames():
    zeros = torch.zeros(SHAPE)
    plain = scheduler().draw_noise(DRAWS, zeros)
    offset = scheduler(offset_noise=0.5).draw_noise(DRAWS, zeros) - plain
    assert offset.flatten(2).std(2).max() < 1e-6
    assert offset[:, :, 0, 0, 0].unique().numel() == 8


SOLVERS = [
    name
    for name in diffusion.__all__
    if isinstance(getattr(diffusion, name), type)
    and issubclass(getattr(diffusion, name), diffusion.solvers.Solver)
    and name not in ('Solver', 'MultistepSolver')
]


@pytest.mark.parametrize('solver', SOLVERS)
def test_every_solver_samples_videos(solver, gaussian, video):
    """Bit by bit as of the frames side by side."""
    process = scheduler(solver=dict(type=solver))
    levels = process.levels()
    noises = [torch.randn(SHAPE) for _ in range(20)]

    def run(z, drawn):
        drawn = iter(drawn)
        return process.solver(
            gaussian.denoise, z, levels, lambda like: next(drawn)
        )

    z = run(video, noises)
    flat = run(video.flatten(2, 3), [n.flatten(2, 3) for n in noises])
    assert torch.equal(z.flatten(2, 3), flat)


def test_windows_have_all_frames(video):
    """An estimate that a window does not change stays as it is."""
    seen = []

    def predict(z, level, condition, guide=False):
        seen.append((z.shape, condition.spatial.shape))
        return 2 * z + condition.spatial

    beside = Condition(spatial=torch.ones(SHAPE))
    found = Windows(4, 2)(predict)(video, None, beside)
    torch.testing.assert_close(found, 2 * video + 1)
    assert {*seen} == {(torch.Size([2, 4, 3, 4, 4]),) * 2}


def test_guidance_and_known_frames(video):
    guidance = diffusion.ClassifierFreeGuidance(2.0, rescale=1.0)
    conditions = [Condition(vector=torch.ones(2, 1) * k) for k in (1, 0)]

    def predict(z, level, condition):
        return z * (1 + condition.vector[..., None, None, None])

    level = scheduler().levels()[0]
    mask = torch.zeros(1, 1, 3, 1, 1, dtype=torch.bool)
    mask[:, :, 0] = True
    denoise = keep_known(guidance(predict, *conditions), 9 * video, mask)
    z_0 = denoise(video, level)
    torch.testing.assert_close(z_0[:, :, 0], 9 * video[:, :, 0])
    torch.testing.assert_close(z_0[:, :, 1:], 2 * video[:, :, 1:])


def test_a_first_stage_of_images_refuses_them():
    """Not silently with another channel's scale."""
    first_stage = IdentityAutoencoder()
    videos = torch.zeros(2, 3, 3, 8, 8)
    for name, run in (
        ('images', first_stage.encode),
        ('latents', first_stage.decode),
    ):
        message = rf'{name} must be \(B, 3, H, W\), got .*: give latents'
        with pytest.raises(ValueError, match=message):
            run(videos)
