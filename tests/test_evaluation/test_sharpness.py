import math

import pytest
import torch
import torch.nn.functional as F
from skimage import data

from mmldm.evaluation import FeatureDistance, HoleMetrics, Sharpness, sharpness
from mmldm.structures import LDMDataSample
from mmldm.utils.power_spectrum import (
    FREQUENCIES,
    OUTPUT,
    REAL,
    RINGS,
    gradient_energy,
    high_share,
    mean_spectrum,
    power_spectrum,
    spectrum_gap,
)

SIDE = 64


@pytest.fixture(scope='module')
def photographs():
    """Tiles of the astronaut, uint8 (3, 64, 64)."""
    whole = torch.from_numpy(data.astronaut()).permute(2, 0, 1)
    return [
        whole[:, top : top + SIDE, 192 : 192 + SIDE]
        for top in range(0, 448, SIDE)
    ]


def blurred(image):
    """Means of 3 x 3 pixels."""
    padded = F.pad(image[None].float(), (1, 1, 1, 1), mode='replicate')
    return F.avg_pool2d(padded, 3, 1)[0].byte()


def pairs(images, truths):
    return [
        LDMDataSample(pred_img=image, gt_img=truth)
        for image, truth in zip(images, truths, strict=True)
    ]


def test_gradient_energy_of_a_slope_is_in_closed_form():
    """Steps of 3 down and 4 to the right."""
    rows, columns = torch.arange(8)[:, None], torch.arange(6)
    image = (3 * rows + 4 * columns).expand(3, -1, -1).byte()
    assert gradient_energy(image) == 9 + 16


@pytest.mark.parametrize('size', [(128, 128), (96, 200)])
def test_white_noise_has_its_variance_at_every_frequency(size):
    power = torch.stack(
        [power_spectrum(5 * torch.randn(3, *size)) for _ in range(20)]
    ).mean(0)
    torch.testing.assert_close(
        power[1:], torch.full((RINGS - 1,), 25.0).double(), rtol=0.05, atol=0
    )


@pytest.mark.parametrize('waves', [5, 13, 29])
def test_a_wave_lies_in_its_ring(waves):
    """Where it is in the image does not matter: 5 dB beside it at most."""
    x = torch.arange(SIDE) / SIDE
    image = 40 * (2 * math.pi * waves * x + 0.7).sin().expand(3, SIDE, -1)
    power = power_spectrum(image)
    ring = int(waves / SIDE * 2 * RINGS)
    assert power.argmax() == ring
    assert FREQUENCIES[ring] == pytest.approx(waves / SIDE, abs=1 / 64)
    assert power[:ring].sum() < power[ring] / 3
    is_high = high_share(power, torch.ones(RINGS).double()) > 1
    assert is_high == (waves > 16)


def test_the_smallest_image_has_power_in_every_ring():
    """The longest wave of 32 pixels is in the first one."""
    assert power_spectrum(torch.randn(3, 32, 32)).min() > 0.05
    x = torch.arange(32) / 32
    wave = (2 * math.pi * x).sin().expand(3, 32, -1)
    assert power_spectrum(wave).argmax() == 0


def test_brightness_has_no_power():
    image = torch.full((3, SIDE, SIDE), 200, dtype=torch.uint8)
    assert power_spectrum(image).max() < 1e-20


def test_twice_the_contrast_is_6_decibels():
    power = power_spectrum(torch.randn(3, SIDE, SIDE))
    assert spectrum_gap(4 * power, power) == pytest.approx(6.0206, abs=1e-3)
    assert high_share(4 * power, power) == pytest.approx(4)
    assert spectrum_gap(power, power) == 0


def test_small_images_have_no_spectrum():
    with pytest.raises(ValueError, match=r'32 pixels or more, got .*31, 64'):
        power_spectrum(torch.zeros(3, 31, 64))


@pytest.mark.parametrize('batch_size', [1, 3])
def test_real_images_are_as_sharp_as_themselves(
    photographs, judge, batch_size
):
    found = judge(Sharpness(), pairs(photographs, photographs), batch_size)
    assert found == {
        'sharpness/gradient': 1,
        'sharpness/high': 1,
        'sharpness/gap': 0,
    }


def test_blur_takes_the_upper_octave_first(photographs, judge):
    images = [blurred(image) for image in photographs]
    found = judge(Sharpness(), pairs(images, photographs))
    # The mean of 3 pixels passes (1 + 2 cos w)^2 / 9 of a wave's power.
    assert found['sharpness/high'] < 0.1
    assert found['sharpness/high'] < found['sharpness/gradient'] < 0.6
    assert found['sharpness/gap'] > 3


def test_sets_are_compared_without_pairs(photographs, judge, real_set):
    real_set(photographs)
    samples = [LDMDataSample(pred_img=x) for x in photographs[::-1]]
    found = judge(Sharpness(dataset=dict()), samples)
    assert found['sharpness/gradient'] == pytest.approx(1)
    assert found['sharpness/gap'] == pytest.approx(0, abs=1e-9)


def test_spectra_are_kept_for_a_picture(photographs, judge):
    metric = Sharpness()
    images = [blurred(image) for image in photographs]
    judge(metric, pairs(images, photographs))
    for name, some in ((REAL, photographs), (OUTPUT, images)):
        torch.testing.assert_close(metric.spectra[name], mean_spectrum(some))


def test_distances_rank_blur_behind_the_truth(photographs, judge):
    metric = FeatureDistance(patches=True)
    none = judge(metric, pairs(photographs, photographs))
    assert none == {'distance/features': 0, 'distance/patches': 0}
    images = [blurred(image) for image in photographs]
    once = judge(metric, pairs(images, photographs))
    twice = judge(metric, pairs(map(blurred, images), photographs))
    for name, value in once.items():
        assert 0 < value < twice[name]


def test_unrelated_images_have_a_patch_distance_of_2(photographs, judge):
    """The variance of a difference is the sum of the variances."""
    images = [*photographs[3:], *photographs[:3]]
    found = judge(FeatureDistance(patches=True), pairs(images, photographs))
    # Seven images, none of which is its own partner: 2 * 7 / 6.
    assert found['distance/patches'] == pytest.approx(2, abs=0.6)


def test_a_configured_distance_is_used(photographs, judge):
    first = dict(
        type='PretrainedFeatures',
        network=dict(type='EfficientNetLiteStages', stages=(0,)),
    )
    images = [blurred(image) for image in photographs]
    found = [
        judge(FeatureDistance(config), pairs(images, photographs))
        for config in (first, None)
    ]
    assert found[0]['distance/features'] < found[1]['distance/features']


@pytest.mark.parametrize('kind', ['Sharpness', 'FeatureDistance'])
def test_holes_are_judged_alone(photographs, judge, kind):
    """A box of 32 pixels that is blurred has the numbers of that box."""
    whole = pairs(photographs, photographs)
    boxes = []
    for sample in whole:
        sample.mask = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
        sample.mask[:, 8:40, 16:48] = 1
        image = sample.pred_img.clone()
        image[:, 8:40, 16:48] = blurred(image[:, 8:40, 16:48])
        sample.pred_img = image
        box = [x[:, 8:40, 16:48] for x in (image, sample.gt_img)]
        boxes += pairs(box[:1], box[1:])
    metric = dict(type=kind)
    holes = judge(HoleMetrics(metric, crop=True), whole)
    expected = judge(getattr(sharpness, kind)(), boxes)
    for name, value in expected.items():
        key = 'hole/' + name.split('/')[1]
        assert holes[key] == pytest.approx(value)


@pytest.mark.parametrize('metric', [Sharpness, FeatureDistance])
def test_samples_without_a_truth_are_refused(photographs, judge, metric):
    samples = [LDMDataSample(pred_img=photographs[0])]
    with pytest.raises(ValueError, match=r'needs gt_img.*gt_img=True'):
        judge(metric(), samples)
