import pytest
import torch
from torch import nn

from mmldm.evaluation import SuperResolutionMetrics
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.pixels import bicubic
from mmldm.utils.power_spectrum import mean_spectrum


def resized(image, size):
    """By bicubic interpolation, (3, H, W)."""
    pixels = bicubic(image.permute(1, 2, 0).numpy(), size, size)
    return torch.tensor(pixels).permute(2, 0, 1)


@pytest.fixture
def truths():
    return torch.randint(256, (3, 3, 16, 16), dtype=torch.uint8)


@pytest.fixture
def enlarged(truths):
    """Builds the sample of an image drawn for an entry."""

    def build(source, image):
        sample = LDMDataSample(metainfo=dict(source_idx=source))
        sample.gt_img, sample.pred_img = truths[source], image
        sample.img_lq = resized(truths[source], 4)
        return sample

    return build


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_the_truth_reaches_everything(judge, enlarged, truths, batch_size):
    samples = [enlarged(i, truths[i]) for i in range(3)]
    scores = judge(SuperResolutionMetrics(), samples, batch_size)
    assert scores['sr/psnr_small'] == 100
    assert scores['sr/psnr_mean'] == scores['sr/psnr_sample'] == 100
    assert scores['sr/sharpness'] == 1
    assert scores['sr/psnr_bicubic'] < 20
    assert scores['sr/sharpness_bicubic'] < 0.5


def test_bicubic_images_are_as_good_as_bicubic(judge, enlarged, truths):
    samples = [enlarged(i, None) for i in range(3)]
    for sample in samples:
        sample.pred_img = resized(sample.img_lq, 16)
    scores = judge(SuperResolutionMetrics(), samples)
    for name in ('psnr_mean', 'psnr_sample'):
        assert scores[f'sr/{name}'] == scores['sr/psnr_bicubic']
    assert scores['sr/sharpness'] == scores['sr/sharpness_bicubic']


def test_the_small_image_is_what_samples_are_compared_with(judge, enlarged):
    """A grey image is grey when it is small: an error of 55 everywhere."""
    grey = torch.full((3, 16, 16), 100, dtype=torch.uint8)
    sample = enlarged(0, grey)
    sample.img_lq = torch.full((3, 4, 4), 155, dtype=torch.uint8)
    scores = judge(SuperResolutionMetrics(), [sample])
    assert scores['sr/psnr_small'] == pytest.approx(13.324, abs=1e-3)
    assert scores['sr/sharpness'] == scores['sr/sharpness_bicubic'] == 0


def test_the_mean_of_an_entrys_samples_is_judged(judge, enlarged, truths):
    """Opposite ripples cancel, but make each sample worse, and sharper."""
    truths.clamp_(20, 235)
    place = torch.arange(16)
    ripples = 20 * (-1) ** (place + place[:, None])
    samples = [
        enlarged(0, (truths[0] + sign * ripples).byte()) for sign in (1, -1)
    ]
    scores = judge(SuperResolutionMetrics(), samples)
    assert scores['sr/psnr_mean'] == 100
    assert scores['sr/psnr_sample'] == pytest.approx(22.110, abs=1e-3)
    # Of random pixels' steps, 2 * 255^2 / 12, and of the ripples', 40^2.
    assert scores['sr/sharpness'] == pytest.approx(1.15, abs=0.04)


def test_spectra_are_those_of_all_images(judge):
    """An entry with two samples counts once among the real images."""
    truths = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    samples = []
    for source in (0, 1, 1):
        sample = LDMDataSample(metainfo=dict(source_idx=source))
        sample.gt_img, sample.pred_img = truths[source], truths[0]
        sample.img_lq = resized(truths[source], 8)
        samples.append(sample)
    metric = SuperResolutionMetrics()
    judge(metric, samples)
    large = [resized(s.img_lq, 32) for s in samples[:2]]
    expected = dict(output=truths[:1], bicubic=large)
    for name, images in {'real images': truths, **expected}.items():
        torch.testing.assert_close(
            metric.spectra.pop(name), mean_spectrum([*images])
        )
    assert not metric.spectra


def test_data_without_a_small_image_are_refused(judge, enlarged, truths):
    sample = enlarged(0, truths[0])
    del sample.img_lq
    with pytest.raises(ValueError, match='needs img_lq'):
        judge(SuperResolutionMetrics(), [sample])


class Mean(nn.Module):
    """Stands in for a network: difference of the means in [-1, 1]."""

    def forward(self, x, reference):
        return (x - reference).mean((1, 2, 3)).abs()


def test_features_are_compared_with_bicubic(
    judge, enlarged, truths, monkeypatch
):
    monkeypatch.setitem(MODELS.module_dict, 'Mean', Mean)
    grey = torch.full((3, 16, 16), 100, dtype=torch.uint8)
    metric = SuperResolutionMetrics(features=dict(type='Mean'))
    scores = judge(metric, [enlarged(0, grey)])
    bicubic_image = resized(resized(truths[0], 4), 16)
    for name, image in dict(sample=grey, bicubic=bicubic_image).items():
        error = image.double().mean() - truths[0].double().mean()
        assert scores[f'sr/features_{name}'] == pytest.approx(
            abs(error.item()) / 127.5, rel=1e-3
        )


def test_patches_tell_the_truth_from_bicubic(judge, enlarged, truths):
    """Two samples of an entry count as often as all others."""
    samples = [enlarged(i, truths[i]) for i in (0, 1, 2, 2)]
    scores = judge(SuperResolutionMetrics(patches=True), samples)
    assert scores['sr/patches_sample'] == 0
    reached = scores['sr/patches_bicubic']
    images = [resized(sample.img_lq, 16) for sample in samples[:3]]
    for sample, image in zip(samples, images, strict=False):
        sample.pred_img = image
    scores = judge(SuperResolutionMetrics(patches=True), samples[:3])
    assert scores['sr/patches_sample'] == scores['sr/patches_bicubic']
    assert 0 < scores['sr/patches_sample'] == pytest.approx(reached)


def test_patches_of_one_entry_have_no_variance(judge, enlarged, truths):
    samples = [enlarged(0, truths[0])] * 2
    with pytest.raises(ValueError, match=r'got 1 real image, expected 2'):
        judge(SuperResolutionMetrics(patches=True), samples)
