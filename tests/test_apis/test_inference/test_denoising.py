"""The steps of denoising, as numbers and pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer
from mmldm.apis.inference.denoising import (
    FRAMES,
    Denoising,
    steps_of,
    write_denoising,
)
from mmldm.apis.inference.progress import ImageBar
from mmldm.apis.inference.strips import evenly
from mmldm.diffusion import Sampling


@pytest.fixture
def model(tiny_ldm):
    torch.manual_seed(0)
    return tiny_ldm(image_size=8)


@pytest.mark.parametrize(
    'solver, expected',
    [('DDIM', [1, 2, 3, 4]), ('Heun', [1, 2, 2, 3, 3, 4, 4])],
)
def test_evaluations_belong_to_steps(model, solver, expected):
    """Heun evaluates twice a step: at its level, and at the next one."""
    sampling = Sampling.of(solver=solver, steps=4)
    view = model.sampling_by(sampling)
    assert steps_of(view) == expected
    heard = []
    LatentDiffusionInferencer(model)(
        label=3, sampling=sampling, callback=lambda n, _: heard.append(n)
    )
    assert len(heard) == len(expected)


def test_frames_are_the_estimates_of_each_image(model):
    draw, watch, states = LatentDiffusionInferencer(model), None, []
    watch = Denoising(model)

    def callback(n, z_0):
        watch(n, z_0)
        states.append(z_0)

    samples = draw(
        label=[3, 7],
        steps=2,
        solver='DDIM',
        callback=callback,
        return_datasamples=True,
    )
    for place, sample in enumerate(samples):
        watch.advance()
        image = sample.pred_img.permute(1, 2, 0).numpy()
        first, second, last = watch.frames(image)
        assert np.array_equal(last, image)
        # The last estimate is the result; decoded beside others.
        assert abs(second.astype(int) - image).max() <= 1
        pixels = model.autoencoder.decode(states[0], (8, 8))[place]
        pixels = (pixels.clamp(-1, 1) + 1) * 127.5
        pixels = pixels.detach().permute(1, 2, 0).numpy()
        assert abs(first - pixels).max() <= 1


def test_strip_and_animation_have_the_frames(tmp_path):
    frames = [np.full((8, 12, 3), 10 * i, np.uint8) for i in range(5)]
    write_denoising(frames, tmp_path / 'steps' / '000001')
    with Image.open(tmp_path / 'steps' / '000001.png') as strip:
        assert strip.size == (5 * 14 + 2, 12)
        assert [strip.getpixel((14 * i + 6, 6))[0] for i in range(5)] == [
            *(0, 10, 20, 30, 40)
        ]
    with Image.open(tmp_path / 'steps' / '000001.webp') as animation:
        assert animation.n_frames == 5
        animation.seek(3)
        assert animation.convert('RGB').getpixel((6, 6)) == (30, 30, 30)


def test_few_frames_are_spread_evenly():
    assert evenly(3, FRAMES) == [0, 1, 2]
    assert evenly(101, 5) == [0, 25, 50, 75, 100]
    assert evenly(7, 1) == [6]


def test_the_bar_says_images_and_steps(capsys):
    with ImageBar(4, [1, 1, 2]) as bar:
        bar.bar.mininterval = 0
        bar.step(2, 2)
        assert bar.bar.n == pytest.approx(2 * 2 / 3)
        assert bar.bar.desc == '0 of 4 images, step 1 of 2'
        bar.finished(2)
        bar.step(3, 1)
        assert bar.bar.desc == '2 of 4 images, step 2 of 2'
        bar.finished(2)
    assert '4 of 4 images 100%' in capsys.readouterr().err
