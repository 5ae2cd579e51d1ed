"""Interpolation of noise."""

import math

import numpy as np
import pytest
import torch

from mmldm.apis import LatentDiffusionInferencer
from mmldm.apis.inference.interpolation import Interpolation, slerp
from mmldm.apis.inference.requests import Request


def test_the_way_is_a_circle_at_equal_speed():
    """Between orthogonal vectors of norm 2: angle share * pi / 2."""
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    for share in (0.25, 0.5, 2 / 3):
        angle = share * math.pi / 2
        expected = torch.tensor([2 * math.cos(angle), 2 * math.sin(angle)])
        torch.testing.assert_close(slerp(a, b, share), expected)


def test_the_noise_stays_of_unit_variance():
    """A straight line would have 0.5 in the middle."""
    a, b = torch.randn(2, 4, 64, 64, generator=torch.manual_seed(0))
    middle = slerp(a, b, 0.5)
    assert middle.var() == pytest.approx(1, abs=0.03)
    assert torch.equal(slerp(a, b, 0), a) and torch.equal(slerp(a, b, 1), b)
    torch.testing.assert_close(slerp(a, a, 0.3), a)
    with pytest.raises(ValueError, match='share=1.5 must be in'):
        slerp(a, b, 1.5)


def test_its_ends_are_the_images_of_the_seeds(tiny_ldm):
    torch.manual_seed(0)
    draw = LatentDiffusionInferencer(tiny_ldm(image_size=8))
    requests = [
        Request(dict(gt_label=3), (8, 8), 4, number) for number in range(3)
    ]
    frames = [
        sample.pred_img.permute(1, 2, 0).numpy()
        for sample in draw.stream(requests, edit=Interpolation((4, 9), 3))
    ]
    for frame, seed in ((frames[0], 4), (frames[2], 9)):
        same = draw(label=[3] * 3, seed=seed, batch_size=3)[0]
        assert abs(frame.astype(int) - np.asarray(same)).max() <= 1
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[2], frames[1])


def test_frames_share_the_noise_of_the_solver(tiny_ldm):
    """With as many frames as one likes, neighbours differ little."""
    torch.manual_seed(0)
    draw = LatentDiffusionInferencer(tiny_ldm(image_size=8))
    from mmldm.diffusion import Sampling

    sampling = Sampling.of(solver=dict(type='DDIM', eta=1.0), steps=4)
    requests = [
        Request(dict(gt_label=3), (8, 8), 4, number) for number in (0, 1, 9999)
    ]
    first, second, last = (
        sample.pred_img.int()
        for sample in draw.stream(
            requests, sampling, edit=Interpolation((4, 9), 10000)
        )
    )
    assert (first - second).abs().max() <= 1
    assert (first - last).abs().max() > 10
