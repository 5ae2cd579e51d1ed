"""What is drawn, and how strongly, told apart from what happens to it."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data

from mmldm.datasets.transforms import DegradeBicubic, DegradeBSRGAN, bsrgan
from mmldm.datasets.transforms.bsrgan import (
    SETTINGS,
    convolve,
    degrade,
    gaussian,
    oriented_gaussian,
)

FULL, LIGHT = SETTINGS['full'], SETTINGS['light']
# Nothing but what shrinks, and JPEG of the best quality.
PLAIN = replace(LIGHT, num_blurs=0, noise=(0, 0), quality=(100, 100))


@pytest.fixture(scope='module')
def photograph():
    """uint8 (128, 192, 3)."""
    return (
        data.astronaut()[:256, :384]
        .reshape(128, 2, 192, 2, 3)
        .mean((1, 3))
        .astype(np.uint8)
    )


@pytest.fixture
def calls(monkeypatch):
    """Records the arguments of all calls of a function of a module."""

    def calls(module, name):
        seen, real = [], getattr(module, name)

        def spy(*args, **kwargs):
            seen.append((*args, *kwargs.values()))
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, spy)
        return seen

    return calls


def psnr(x, y):
    return -10 * np.log10(((x.astype(float) - y) ** 2).mean() / 255**2)


def seeds(count=30):
    for seed in range(count):
        np.random.seed(seed)
        yield seed


def test_bicubic_is_pillows(photograph):
    small = DegradeBicubic(4)(dict(img=photograph))['img_lq']
    expected = Image.fromarray(photograph).resize((48, 32), Image.BICUBIC)
    assert small.dtype == np.uint8
    assert np.array_equal(small, expected)


@pytest.mark.parametrize('strength', ['full', 'light'])
@pytest.mark.parametrize('factor', [1, 2, 4, 8])
def test_the_size_is_divided_and_the_image_left_alone(
    photograph, strength, factor
):
    before = photograph.copy()
    for _ in seeds(8):
        results = DegradeBSRGAN(factor, strength=strength)(
            dict(img=photograph)
        )
        small = results['img_lq']
        assert small.shape == (128 // factor, 192 // factor, 3)
        assert small.dtype == np.uint8
        assert np.array_equal(photograph, before)


def test_full_is_stronger_than_light_and_both_show_the_image(photograph):
    clean = DegradeBicubic()(dict(img=photograph))['img_lq']
    near = {}
    for strength in SETTINGS:
        near[strength] = [
            psnr(
                DegradeBSRGAN(strength=strength)(dict(img=photograph))[
                    'img_lq'
                ],
                clean,
            )
            for _ in seeds()
        ]
        assert min(near[strength]) > 10
        assert len({round(value, 6) for value in near[strength]}) == 30
    assert np.mean(near['light']) > np.mean(near['full']) + 2


@pytest.mark.parametrize('resize', [0.0, 1.0])
def test_nothing_is_moved(resize):
    """Of a ramp every small pixel is the mean of those it stands for.

    In the middle: at the edges a blur sees its mirror image. The ways to
    resize that alias sample beside the middle by no more than rounding.
    """
    ramp = np.broadcast_to(
        np.linspace(0.1, 0.9, 128, dtype=np.float32)[:, None, None],
        (128, 128, 3),
    )
    for image in (ramp, np.swapaxes(ramp, 0, 1)):
        image = np.ascontiguousarray(image)
        expected = image.reshape(32, 4, 32, 4, 3).mean((1, 3))
        for _ in seeds(20):
            small = degrade(image, 4, replace(PLAIN, resize=resize))
            off = (small - expected)[8:-8, 8:-8]
            # A large pixel is 0.8 / 128.
            assert abs(off.mean()) < 0.25 * 0.8 / 128


def test_grey_stays_grey_but_for_noise():
    grey = np.full((64, 64, 3), 0.5, np.float32)
    for _ in seeds():
        assert abs(degrade(grey, 4, PLAIN) - 0.5).max() <= 0.006
    loud = [degrade(grey, 4, replace(PLAIN, noise=(20, 25))) for _ in seeds()]
    assert np.std(loud) > 0.02


def noise_of(kinds, level, monkeypatch):
    """On grey, (N, 3), levels of 255."""
    monkeypatch.setattr(bsrgan, 'KINDS_OF_NOISE', kinds)
    grey = np.full((64, 64, 3), 0.5, np.float32)
    settings = replace(LIGHT, noise=(level, level))
    return (bsrgan._add_noise(grey, settings) - 0.5).reshape(-1, 3) * 255


@pytest.mark.parametrize('level', [5, 30])
@pytest.mark.parametrize(
    'kinds, likeness', [((1, 0, 0), 0), ((0, 1, 0), 1)], ids=['each', 'grey']
)
def test_noise_has_its_level(kinds, likeness, level, monkeypatch):
    noise = noise_of(kinds, level, monkeypatch)
    assert noise.std(0) == pytest.approx(level, rel=0.05)
    found = np.corrcoef(noise.T)
    assert found[0, 1:] == pytest.approx(likeness, abs=0.06)


def test_correlated_noise_is_at_most_of_its_level(monkeypatch):
    """Variances are means of three numbers in [0, 1], times its own."""
    found = [noise_of((0, 0, 1), 10, monkeypatch) for _ in seeds()]
    likeness = [np.corrcoef(noise.T)[0, 1] for noise in found]
    assert min(likeness) < 0.5 < max(likeness)
    assert max(noise.std() for noise in found) < 10
    assert np.mean([noise.std() for noise in found]) > 5


def test_steps_come_in_any_order_in_which_it_shrinks_first():
    orders = {tuple(bsrgan._order(FULL)) for _ in range(2000)}
    # Two equal of six, two in a given order.
    assert len(orders) == 720 // 2 // 2
    assert all(o.index('shrink') < o.index('to size') for o in orders)
    assert all(o.count('blur') == 2 for o in orders)
    assert all(bsrgan._order(LIGHT).count('blur') == 1 for _ in range(9))


@pytest.mark.parametrize(
    'settings, qualities, oriented, round_',
    [
        (LIGHT, range(80, 96), range(5, 15), range(5, 8)),
        (FULL, range(30, 96), range(7, 26, 2), range(7, 26, 2)),
    ],
    ids=['light', 'full'],
)
def test_qualities_and_kernels_are_those_of_the_settings(
    settings, qualities, oriented, round_, calls
):
    encoded = calls(bsrgan.cv2, 'imencode')
    kernels = calls(bsrgan, 'oriented_gaussian')
    lines = calls(bsrgan, 'gaussian')
    image = np.zeros((16, 16, 3), np.float32)
    for _ in seeds(150):
        degrade(image, 4, settings)
    found = {options[1] for *_, options in encoded}
    assert found <= {*qualities}
    assert min(found) <= qualities[2] and max(found) >= qualities[-3]
    assert {int(size) for size, *_ in kernels} == {*oriented}
    # And that which comes before sampling.
    assert {int(size) for size, *_ in lines} == {*round_, 25}


@pytest.mark.parametrize('settings, blur', [(FULL, 1), (LIGHT, 0.25)])
@pytest.mark.parametrize('factor', [2, 4])
def test_blurs_are_as_wide_as_said(settings, blur, factor, calls):
    lines = calls(bsrgan, 'gaussian')
    oriented = calls(bsrgan, 'oriented_gaussian')
    image = np.zeros((8, 8, 3), np.float32)
    for _ in range(200):
        bsrgan._blur(image, factor, settings)
    assert 70 < len(lines) < 130
    widths = [width for _, width in lines]
    largest = blur * (2 + 0.2 * factor)
    assert 0.9 * largest < max(widths) <= largest
    variances = np.concatenate([v for _, v, _ in oriented])
    largest = blur * (4 + factor)
    assert 0.9 * largest < max(variances) <= largest
    angles = [angle for *_, angle in oriented]
    assert min(angles) < 0.3 and 2.8 < max(angles) < np.pi


@pytest.mark.parametrize('settings, resize', [(FULL, 0.75), (LIGHT, 0.8)])
def test_it_shrinks_in_either_way_as_often_as_said(settings, resize, calls):
    lines = calls(bsrgan, 'gaussian')
    image = np.zeros((64, 32, 3), np.float32)
    heights = []
    for _ in range(400):
        sampled = len(lines)
        small = bsrgan._shrink(image, 4, settings)
        if len(lines) > sampled:
            assert small.shape == (16, 8, 3)
        else:
            heights.append(len(small))
    assert len(heights) / 400 == pytest.approx(resize, abs=0.06)
    assert min(heights) == 8 and max(heights) >= 60
    widths = [width for _, width, _ in lines]
    assert 0.1 < min(widths) < 0.3 and 2.1 < max(widths) < 2.4


def test_any_method_resizes(calls):
    resized = calls(bsrgan.cv2, 'resize')
    for _ in range(60):
        bsrgan._resize(np.zeros((8, 8, 3), np.float32), 4, 4)
    methods = {call[-1] for call in resized}
    assert methods == {cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA}


@pytest.mark.parametrize('often, count', [(0, 1), (1, 2)])
def test_the_last_step_is_always_jpeg(often, count, calls, monkeypatch):
    monkeypatch.setattr(bsrgan, 'JPEG_IN_BETWEEN', often)
    encoded = calls(bsrgan.cv2, 'imencode')
    image = np.random.rand(16, 16, 3).astype(np.float32)
    small = degrade(image, 4, LIGHT)
    assert len(encoded) == count
    # What came out of it was not changed.
    again = cv2.imdecode(
        cv2.imencode('.jpg', encoded[-1][1], encoded[-1][2])[1],
        cv2.IMREAD_COLOR,
    )
    np.testing.assert_allclose(small * 255, again[..., ::-1], atol=1e-3)


def test_a_red_image_is_a_red_file(calls):
    """Its brightness is kept better than its colour, as JPEG has it."""
    encoded = calls(bsrgan.cv2, 'imencode')
    red = np.float32([1, 0, 0]) * np.ones((16, 16, 1), np.float32)
    assert abs(bsrgan._jpeg(red, PLAIN) - red).max() < 0.02
    content = cv2.imencode(*encoded[0])[1].tobytes()
    pixels = np.asarray(Image.open(io.BytesIO(content)), np.float32)
    assert abs(pixels / 255 - red).max() < 0.02


def test_strengths_are_those_of_the_original():
    assert (FULL.num_blurs, LIGHT.num_blurs) == (2, 1)
    assert (FULL.noise, LIGHT.noise) == ((2, 25), (1, 2))
    assert bsrgan.JPEG_IN_BETWEEN == 0.9


def test_a_fourth_is_halved_first(calls):
    halved = calls(bsrgan, '_halve')
    image = np.zeros((16, 16, 3), np.float32)
    for _ in seeds(400):
        degrade(image, 4, PLAIN)
    assert len(halved) / 400 == pytest.approx(0.25, abs=0.07)
    halved.clear()
    for _ in seeds(50):
        degrade(image, 2, PLAIN)
    assert not halved


def test_of_a_halved_image_a_half_is_left_to_do(calls, monkeypatch):
    monkeypatch.setattr(bsrgan, 'HALVE_FIRST', 1)
    steps = calls(bsrgan, '_blur'), calls(bsrgan, '_shrink')
    degrade(np.zeros((16, 16, 3), np.float32), 4, FULL)
    assert [args[1] for step in steps for args in step] == [2, 2, 2]


def test_an_image_is_halved_in_place():
    """Both ways; a smooth one loses nothing."""
    wave = np.sin(np.arange(64) / 10)[:, None, None] / 4 + 0.5
    image = np.broadcast_to(wave, (64, 32, 3)).astype(np.float32)
    means = image.reshape(32, 2, 16, 2, 3).mean((1, 3))
    for _ in seeds(10):
        assert abs(bsrgan._halve(image) - means)[2:-2].max() < 0.01


@pytest.mark.parametrize('angle', [0.0, 0.7, 2.5])
def test_a_kernel_has_its_variances_and_angle(angle):
    kernel = oriented_gaussian(41, np.array([9.0, 2.0]), angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    y, x = np.mgrid[-20:21, -20:21]
    c, s = np.cos(angle), np.sin(angle)
    along, across = x * c + y * s, x * s - y * c
    assert (kernel * along**2).sum() == pytest.approx(9, rel=0.01)
    assert (kernel * across**2).sum() == pytest.approx(2, rel=0.01)
    assert (kernel * along * across).sum() == pytest.approx(0, abs=0.01)


def test_a_round_kernel_is_the_product_of_its_line():
    line = gaussian(9, 1.5)
    expected = oriented_gaussian(9, np.full(2, 1.5**2), 0.3)
    np.testing.assert_allclose(np.outer(line, line), expected, atol=1e-6)


def test_a_kernel_as_narrow_as_can_be_is_one_pixel_or_those_around():
    assert gaussian(7, 1e-3)[3] == 1
    assert gaussian(7, 1e-3, shift=1.5)[1:3] == pytest.approx(0.5)
    assert oriented_gaussian(7, np.full(2, 1e-6), 0.0)[3, 3] == 1


@pytest.mark.parametrize('size', [5, 6, 7, 14, 25])
def test_convolution_is_scipys(size):
    image = np.random.rand(32, 40, 3).astype(np.float32)
    kernel = np.random.rand(size, size).astype(np.float32)
    expected = ndimage.convolve(image, kernel[..., None], mode='mirror')
    np.testing.assert_allclose(convolve(image, kernel), expected, rtol=1e-3)
    line = kernel[0] / kernel[0].sum()
    expected = ndimage.convolve(
        image, np.outer(line, line)[..., None], mode='mirror'
    )
    np.testing.assert_allclose(convolve(image, line), expected, rtol=1e-3)


def test_a_size_that_does_not_divide_is_refused():
    results = dict(img=np.zeros((8, 10, 3), np.uint8), img_path='a.png')
    with pytest.raises(
        ValueError, match='a.png is 8x10, which DegradeBicubic.factor=4 does'
    ):
        DegradeBicubic(4)(results)


@pytest.mark.parametrize(
    'build, message',
    [
        (lambda: DegradeBicubic(0), 'DegradeBicubic.factor=0 must be'),
        (lambda: DegradeBSRGAN(strength='ful'), "strength='ful'.*'full'"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
