"""Power of images by frequency, and energy of their gradients."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

# Frequencies from 0 to half a cycle per pixel, in this many rings.
RINGS = 16
# Pixels; smaller images have rings without a frequency.
MIN_SIDE = 32
# Middle of each ring, cycles per pixel.
FREQUENCIES = (torch.arange(RINGS).double() + 0.5) / (2 * RINGS)
# Names of the spectra of real images, and of those that a model has made.
REAL, OUTPUT = 'real images', 'output'


def gradient_energy(image: Tensor) -> float:
    """Mean squared difference of neighbouring pixels of (3, H, W)."""
    steps = (image.double().diff(dim=dim) for dim in (1, 2))
    return float(sum(step.square().mean() for step in steps))


def power_spectrum(image: Tensor) -> Tensor:
    """Power of an image in each ring of frequencies, (RINGS,), float64.

    It is the mean squared amplitude of the ring's frequencies, and the mean
    over the channels. White noise has its variance in every ring. A Hann
    window hides that the borders of an image do not fit each other.

    Args:
        image: (C, H, W) with sides of 32 pixels or more, in any range.

    Raises:
        ValueError: If the image is smaller.
    """
    if min(image.shape[1:]) < MIN_SIDE:
        raise ValueError(
            f'a power spectrum needs sides of {MIN_SIDE} pixels or more, got '
            f'(H, W) = {tuple(image.shape[1:])}: use larger images'
        )
    x = image.double()
    windows = [
        torch.hann_window(side, dtype=torch.float64) for side in x.shape[1:]
    ]
    window = torch.outer(*windows)
    mean = (x * window).sum((1, 2), keepdim=True) / window.sum()
    amplitudes = torch.fft.fft2((x - mean) * window)
    power = amplitudes.abs().square().mean(0) / window.square().sum()
    axes = [torch.fft.fftfreq(side).double() for side in x.shape[1:]]
    radius = (axes[0].square()[:, None] + axes[1].square()).sqrt()
    # The lower end of a ring is not part of it: frequency 0 is in none, and
    # the first ring of 32 pixels has a frequency.
    ring = (radius * 2 * RINGS).ceil().long() - 1
    inside = (ring >= 0) & (ring < RINGS)
    sums = torch.zeros(RINGS, dtype=torch.float64)
    sums.index_add_(0, ring[inside], power[inside])
    counts = torch.bincount(ring[inside], minlength=RINGS)
    return sums / counts


def high_share(power: Tensor, real: Tensor) -> float:
    """Power of the upper octave over that of real images.

    The upper octave has waves of 2 to 4 pixels. It is nothing in blurred
    images.

    Args:
        power: Power in each ring, (RINGS,).
        real: The same for real images.
    """
    upper = slice(RINGS // 2, None)
    # A ring has as many frequencies as its radius.
    weights = FREQUENCIES[upper]
    return float((power[upper] @ weights) / (real[upper] @ weights))


def spectrum_gap(power: Tensor, real: Tensor) -> float:
    """Mean absolute difference of the power in the rings, dB.

    Args:
        power: Power in each ring, (RINGS,).
        real: The same for real images.
    """
    least = torch.finfo(torch.float64).tiny
    ratio = power.clamp(min=least) / real.clamp(min=least)
    return float((10 * ratio.log10()).abs().mean())


def mean_spectrum(images: Sequence[Tensor]) -> Tensor:
    """Mean power of images in each ring, (RINGS,), float64.

    Args:
        images: See :func:`power_spectrum`.
    """
    return sum(power_spectrum(image) for image in images) / len(images)


def plot_spectra(path: str | Path, spectra: Mapping[str, Tensor]) -> None:
    """Draw spectra, and their ratio to that of real images, into a picture.

    Args:
        path: File of the picture, such as 'spectra.png'.
        spectra: Power in each ring of pixels in [0, 255], by the name of the
            images; ``REAL`` must be one of them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout='constrained')
    power, ratio = figure.subplots(1, 2)
    for name, curve in spectra.items():
        style = dict(color='black', lw=2.5) if name == REAL else {}
        power.plot(FREQUENCIES, curve, label=name, **style)
        decibels = 10 * (curve / spectra[REAL]).log10()
        ratio.plot(FREQUENCIES, decibels, label=name, **style)
    power.set_yscale('log')
    power.set_ylabel('power, squares of grey levels')
    ratio.set_ylabel('power over that of real images, dB')
    for axes in (power, ratio):
        axes.set_xlabel('frequency, cycles per pixel')
        axes.set_xlim(0, 0.5)
        axes.grid(alpha=0.3)
    power.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
