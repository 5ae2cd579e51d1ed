import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import nn

from mmldm.evaluation import ReconstructionMetrics
from mmldm.evaluation.reconstruction import psnr, ssim
from mmldm.registry import MODELS


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


@pytest.mark.parametrize('value, reference', [(0, 255), (100, 120)])
def test_flat_images_differ_in_luminance_alone(value, reference):
    """Wang et al. 2004, eq. 6, with their C_1."""
    image = torch.full((3, 11, 16), value, dtype=torch.uint8)
    other = torch.full_like(image, reference)
    c_1 = (0.01 * 255) ** 2
    expected = (2 * value * reference + c_1) / (value**2 + reference**2 + c_1)
    assert ssim(image, other) == pytest.approx(expected, abs=1e-9)
    assert ssim(image, image) == pytest.approx(1, abs=1e-12)


def test_structure_is_seen_through_a_gaussian_window():
    """Wang et al. 2004, eq. 13, at the one place where the window fits."""
    pair = torch.randint(256, (2, 3, 11, 11), dtype=torch.uint8)
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()

    def centre(image):
        for axis in (0, 1):
            image = correlate1d(image, taps, axis)
        return image[5, 5]

    c_1, c_2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = []
    for x, y in zip(*pair.double().numpy(), strict=True):
        mu_x, mu_y = centre(x), centre(y)
        var_x, var_y = centre(x * x) - mu_x**2, centre(y * y) - mu_y**2
        cov = centre(x * y) - mu_x * mu_y
        expected.append(
            (2 * mu_x * mu_y + c_1)
            * (2 * cov + c_2)
            / ((mu_x**2 + mu_y**2 + c_1) * (var_x + var_y + c_2))
        )
    assert ssim(*pair) == pytest.approx(np.mean(expected), abs=1e-9)


def test_images_smaller_than_the_window_are_refused():
    image = torch.zeros(3, 16, 10, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r'\(16, 10\): use larger images'):
        ssim(image, image)


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_images_are_averaged_whatever_their_batch_and_size(
    reconstruction, judge, batch_size
):
    errors, sizes = [1, 10, 100], [16, 12, 32]
    samples = []
    for error, size in zip(errors, sizes, strict=True):
        black = torch.zeros(3, size, size, dtype=torch.uint8)
        samples.append(reconstruction(black + error, black))
    decibels = [20 * math.log10(255 / e) for e in errors]
    similarities = [ssim(s.pred_img, s.gt_img) for s in samples]
    assert judge(ReconstructionMetrics(), samples, batch_size) == {
        'recon/psnr': pytest.approx(sum(decibels) / 3),
        'recon/ssim': pytest.approx(sum(similarities) / 3),
    }


class SignedDistance(nn.Module):
    """Stands in for LPIPS: which image is which, and in which range."""

    def forward(self, x, reference):
        assert x.min() >= -1 and x.max() <= 1
        return (2 * x - reference).mean((1, 2, 3))


class WithoutFiles(nn.Module):
    def __init__(self):
        raise FileNotFoundError('no vgg.pth (set vgg_weights)')


@pytest.fixture
def distance(monkeypatch):
    """Registers a class of distance; returns the metric's config of it."""

    def register(cls):
        monkeypatch.setitem(MODELS.module_dict, cls.__name__, cls)
        return dict(type=cls.__name__)

    return register


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_lpips_sees_images_from_minus_1_to_1(
    random_reconstructions, judge, distance, batch_size
):
    samples = random_reconstructions(3, 16)
    expected = [
        2 * (s.pred_img / 127.5 - 1).mean() - (s.gt_img / 127.5 - 1).mean()
        for s in samples
    ]
    metric = ReconstructionMetrics(lpips=distance(SignedDistance))
    found = judge(metric, samples, batch_size)['recon/lpips']
    assert found == pytest.approx(sum(expected).item() / 3, abs=1e-6)


def test_lpips_without_its_files_is_left_out(
    random_reconstructions, judge, distance, warnings_of
):
    metric = ReconstructionMetrics(lpips=distance(WithoutFiles))
    assert warnings_of() == [
        'recon/lpips is left out: no vgg.pth (set vgg_weights)'
    ]
    found = judge(metric, random_reconstructions(3, 16))
    assert set(found) == {'recon/psnr', 'recon/ssim'}


def test_what_one_machine_alone_measures_is_left_out():
    rows = [dict(psnr=1.0, lpips=2.0), dict(psnr=3.0)]
    assert ReconstructionMetrics().compute_metrics(rows) == dict(psnr=2.0)
