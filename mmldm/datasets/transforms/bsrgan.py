"""Random degradations that make a photograph small.

They follow Zhang et al. 2021, 'Designing a Practical Degradation Model for
Deep Blind Image Super-Resolution' (arXiv:2103.14006), with the settings of
Rombach et al. 2022, app. D.6.1. Images are float32 (H, W, 3) in [0, 1]; all
randomness comes from NumPy's global generator.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

METHODS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)
HALVE_FIRST = 0.25
JPEG_IN_BETWEEN = 0.9
SAMPLING_KERNEL = 25  # pixels
KINDS_OF_NOISE = (0.4, 0.4, 0.2)  # probabilities: by channel, grey, correlated
LEAST = 1e-3  # least width (pixels) and variance (square pixels)


@dataclass(frozen=True)
class Settings:
    """The strengths of the degradations.

    Args:
        num_blurs: Number of blurs.
        blur: Width of the blurs, relative to BSRGAN's.
        oriented_sizes: Sides of oriented kernels, pixels.
        round_sizes: Sides of round kernels, pixels.
        resize: Probability of shrinking by a random factor; otherwise the
            image is blurred and sampled.
        noise: Least and largest standard deviation, in levels of 255.
        quality: Least and largest JPEG quality.
    """

    num_blurs: int
    blur: float
    oriented_sizes: Sequence[int]
    round_sizes: Sequence[int]
    resize: float
    noise: tuple[int, int]
    quality: tuple[int, int]


SETTINGS = {
    'full': Settings(
        num_blurs=2,
        blur=1.0,
        oriented_sizes=range(7, 26, 2),
        round_sizes=range(7, 26, 2),
        resize=0.75,
        noise=(2, 25),
        quality=(30, 95),
    ),
    'light': Settings(
        num_blurs=1,
        blur=0.25,
        oriented_sizes=range(5, 15),
        round_sizes=range(5, 8),
        resize=0.8,
        noise=(1, 2),
        quality=(80, 95),
    ),
}


def degrade(image: np.ndarray, factor: int, settings: Settings) -> np.ndarray:
    """Degrade a large image to a small one.

    Args:
        image: (H, W, 3); H and W are multiples of the factor.
        factor: Factor by which the image becomes smaller.
        settings: Strengths of the degradations.

    Returns:
        Shape (H / factor, W / factor, 3).
    """
    height, width = (side // factor for side in image.shape[:2])
    if factor == 4 and np.random.rand() < HALVE_FIRST:
        image, factor = _halve(image), 2
    for step in _order(settings):
        if step == 'blur':
            image = _blur(image, factor, settings)
        elif step == 'shrink':
            image = _shrink(image, factor, settings)
        elif step == 'to size':
            image = _resize(image, height, width)
        elif step == 'noise':
            image = _add_noise(image, settings)
        elif np.random.rand() < JPEG_IN_BETWEEN:
            image = _jpeg(image, settings)
    return _jpeg(image, settings)


def _order(settings: Settings) -> list[str]:
    """All steps in random order; 'shrink' comes before 'to size'."""
    steps = ['blur'] * settings.num_blurs
    steps += ['shrink', 'to size', 'noise', 'jpeg']
    steps = [steps[i] for i in np.random.permutation(len(steps))]
    first, second = sorted(map(steps.index, ('shrink', 'to size')))
    steps[first], steps[second] = 'shrink', 'to size'
    return steps


def _halve(image: np.ndarray) -> np.ndarray:
    """Halve height and width, in one of two ways at random."""
    height, width = (side // 2 for side in image.shape[:2])
    if np.random.rand() < 0.5:
        return _resize(image, height, width)
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        for channel in np.moveaxis(image, 2, 0)
    ]
    return np.stack(channels, axis=2).clip(0, 1)


def _resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by a random method; all methods but area alias."""
    method = METHODS[np.random.randint(len(METHODS))]
    resized = cv2.resize(image, (width, height), interpolation=method)
    return resized.clip(0, 1)


def _blur(image: np.ndarray, factor: int, settings: Settings) -> np.ndarray:
    """Blur by a Gaussian, round or oriented at random."""
    if np.random.rand() < 0.5:
        size = np.random.choice(settings.oriented_sizes)
        largest = settings.blur * (4 + factor)
        variances = np.maximum(LEAST, largest * np.random.rand(2))
        return convolve(
            image, oriented_gaussian(size, variances, np.pi * np.random.rand())
        )
    size = np.random.choice(settings.round_sizes)
    width = settings.blur * (2 + 0.2 * factor) * np.random.rand()
    return convolve(image, gaussian(size, max(LEAST, width)))


def _shrink(image: np.ndarray, factor: int, settings: Settings) -> np.ndarray:
    """Shrink by a random factor, or blur and sample."""
    if np.random.rand() < settings.resize:
        scale = np.random.uniform(1, 2 * factor)
        shape = (max(1, int(side / scale)) for side in image.shape[:2])
        return _resize(image, *shape)
    width = np.random.uniform(0.1, 0.6 * factor)
    # The first of `factor` pixels is sampled; the shift moves their middle
    # there.
    shift = (factor - 1) / 2
    kernel = gaussian(SAMPLING_KERNEL, width, shift)
    return convolve(image, kernel)[::factor, ::factor].clip(0, 1)


def _add_noise(image: np.ndarray, settings: Settings) -> np.ndarray:
    """Add normal noise: independent by channel, grey, or correlated."""
    low, high = settings.noise
    std = np.random.randint(low, high + 1) / 255
    kind = np.random.choice(len(KINDS_OF_NOISE), p=KINDS_OF_NOISE)
    height, width = image.shape[:2]
    if kind == 2:
        axes = np.linalg.svd(np.random.rand(3, 3))[0]
        mixed = axes.T @ np.diag(np.random.rand(3)) @ axes
        # The absolute values may not be a covariance, but still give noise.
        noise = np.random.multivariate_normal(
            np.zeros(3),
            (high / 255) ** 2 * abs(mixed),
            (height, width),
            check_valid='ignore',
        )
    else:
        channels = 1 if kind == 1 else 3
        noise = np.random.normal(0, std, (height, width, channels))
    return (image + noise.astype(np.float32)).clip(0, 1)


def _jpeg(image: np.ndarray, settings: Settings) -> np.ndarray:
    """Compress to JPEG and read it back."""
    low, high = settings.quality
    quality = np.random.randint(low, high + 1)
    pixels = (image * 255).round().astype(np.uint8)
    _, content = cv2.imencode(
        '.jpg',
        cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, quality],
    )
    pixels = cv2.imdecode(content, cv2.IMREAD_COLOR)
    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return pixels.astype(np.float32) / 255


def gaussian(size: int, width: float, shift: float = 0.0) -> np.ndarray:
    """One axis (size,) of a round Gaussian kernel; its sum is 1.

    Args:
        size: Length, pixels.
        width: Standard deviation, pixels.
        shift: Distance of the peak before the middle, pixels.
    """
    exponent = (_places(size) + shift) ** 2 / (2 * width**2)
    return _normalised(exponent)


def oriented_gaussian(
    size: int, variances: np.ndarray, angle: float
) -> np.ndarray:
    """An oriented Gaussian kernel (size, size); its sum is 1.

    Args:
        size: Side, pixels.
        variances: Variances along the two axes, square pixels.
        angle: Angle of the first axis, radians.
    """
    x, y = np.meshgrid(_places(size), _places(size))
    along = x * np.cos(angle) + y * np.sin(angle)
    across = x * np.sin(angle) - y * np.cos(angle)
    exponent = along**2 / variances[0] + across**2 / variances[1]
    return _normalised(exponent / 2)


def _places(size: int) -> np.ndarray:
    """Coordinates of ``size`` pixels, relative to their middle."""
    return np.arange(size) - (size - 1) / 2


def _normalised(exponent: np.ndarray) -> np.ndarray:
    # Relative to the minimum: a narrow kernel keeps its nearest pixel.
    kernel = np.exp(exponent.min() - exponent)
    return (kernel / kernel.sum()).astype(np.float32)


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve each channel as ``scipy.ndimage.convolve``, edges mirrored.

    Args:
        image: (H, W, C).
        kernel: (size, size), or (size,) for the outer product of a line
            with itself, which takes a tenth of the work.
    """
    middle = (len(kernel) - 1) // 2
    options = dict(anchor=(middle, middle), borderType=cv2.BORDER_REFLECT_101)
    if kernel.ndim == 1:
        line = np.ascontiguousarray(kernel[::-1])
        return cv2.sepFilter2D(image, -1, line, line, **options)
    kernel = np.ascontiguousarray(kernel[::-1, ::-1])
    return cv2.filter2D(image, -1, kernel, **options)
