import math

import pytest
import torch
from mmengine.evaluator import Evaluator

from mmldm.evaluation import ReconstructionPSNR
from mmldm.evaluation.reconstruction import psnr
from mmldm.structures import LDMDataSample


@pytest.mark.parametrize('error', [1, 5, 100, 255])
def test_a_constant_error_has_its_closed_form(error):
    """Either sign: uint8 differences would wrap around."""
    dark = torch.zeros(3, 4, 4, dtype=torch.uint8)
    bright = dark + error
    expected = 20 * math.log10(255 / error)
    assert psnr(bright, dark) == pytest.approx(expected, abs=1e-9)
    assert psnr(dark, bright) == pytest.approx(expected, abs=1e-9)


def test_squares_are_averaged_over_pixels_and_channels():
    image = torch.zeros(3, 2, 2, dtype=torch.uint8)
    image[1, 0, 1] = 12
    expected = 10 * math.log10(255**2 / (12**2 / 12))
    assert psnr(image, torch.zeros_like(image)) == pytest.approx(expected)


def test_equal_images_have_100():
    image = torch.randint(256, (3, 4, 4), dtype=torch.uint8)
    assert psnr(image, image) == 100


def test_an_error_too_small_to_count_has_no_more():
    image = torch.zeros(3, 256, 256, dtype=torch.uint8)
    almost = image.clone()
    almost[0, 0, 0] = 1
    assert psnr(almost, image) == 100


def reconstruction(error, size):
    """A black square image given back with a constant error."""
    sample = LDMDataSample()
    sample.gt_img = torch.zeros(3, size, size, dtype=torch.uint8)
    sample.pred_img = sample.gt_img + error
    return sample


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_images_are_averaged_whatever_their_batch_and_size(batch_size):
    errors, sizes = [1, 10, 100], [16, 4, 8]
    samples = [
        reconstruction(e, s) for e, s in zip(errors, sizes, strict=True)
    ]
    evaluator = Evaluator(ReconstructionPSNR())
    for i in range(0, 3, batch_size):
        evaluator.process(samples[i : i + batch_size])
    decibels = [20 * math.log10(255 / e) for e in errors]
    assert evaluator.evaluate(size=3) == {
        'recon/psnr': pytest.approx(sum(decibels) / 3)
    }
