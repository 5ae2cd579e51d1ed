"""Metric: quality of super-resolution."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mmldm.registry import METRICS
from mmldm.utils.pixels import bicubic
from mmldm.utils.power_spectrum import (
    MIN_SIDE,
    OUTPUT,
    REAL,
    gradient_energy,
    mean_spectrum,
)

from .entry_samples import EntrySample, EntrySamplesMetric, mean_of_entries
from .reconstruction import psnr


@METRICS.register_module()
class SuperResolutionMetrics(EntrySamplesMetric):
    """PSNR against the original and the small image, and sharpness.

    The same numbers are given for bicubic interpolation of the small images.
    The metric reads ``gt_img`` and ``img_lq``, which ``DegradeBicubic`` and
    ``PackInputs(gt_img=True)`` in the pipeline of the test data give.

    Args:
        features: See :class:`EntrySamplesMetric`.
        patches: The same.

    Attributes:
        spectra: The last spectra, for ``SpectraHook``.
    """

    default_prefix = 'sr'
    fields = ('gt_img', 'img_lq')

    def compute_metrics(
        self, results: Sequence[EntrySample]
    ) -> dict[str, float]:
        """PSNRs, dB, mean over the images, and sharpness.

        ``psnr_small`` compares a sample, shrunk again, with its small image.
        Against the original, ``psnr_mean`` is for the mean of an entry's
        samples, ``psnr_sample`` for single samples and ``psnr_bicubic`` for
        bicubic interpolation. ``sharpness`` and ``sharpness_bicubic`` are the
        images' gradient energy over that of the originals; 1 is best.
        ``features_sample``, ``features_bicubic``, ``patches_sample`` and
        ``patches_bicubic`` are distances to the originals.
        """
        means = mean_of_entries(results)
        large = [replace(d, image=_enlarged(*d.fields)) for d in means]
        self.spectra = _spectra(results, large)
        values = dict(
            psnr_small=self.mean_of(
                results,
                lambda image, _, small: psnr(_like(image, small), small),
            ),
            psnr_mean=self.mean_of(means, _psnr),
            psnr_sample=self.mean_of(results, _psnr),
            psnr_bicubic=self.mean_of(large, _psnr),
            sharpness=_sharpness(results),
            sharpness_bicubic=_sharpness(large),
        )
        return values | self.distances(dict(sample=results, bicubic=large))


def _psnr(image: Tensor, truth: Tensor, small: Tensor) -> float:
    return psnr(image, truth)


def _sharpness(samples: Sequence[EntrySample]) -> float:
    energy = sum(gradient_energy(sample.image) for sample in samples)
    return energy / sum(
        gradient_energy(sample.fields[0]) for sample in samples
    )


def _spectra(
    samples: Sequence[EntrySample], large: Sequence[EntrySample]
) -> dict[str, Tensor]:
    """Spectra of the originals, samples and interpolations, if large enough.

    Args:
        samples: All samples.
        large: The interpolation of each entry.
    """
    if any(min(d.image.shape[1:]) < MIN_SIDE for d in large):
        return {}
    return {
        REAL: mean_spectrum([d.fields[0] for d in large]),
        OUTPUT: mean_spectrum([d.image for d in samples]),
        'bicubic': mean_spectrum([d.image for d in large]),
    }


def _enlarged(truth: Tensor, small: Tensor) -> Tensor:
    return _like(small, truth)


def _like(image: Tensor, other: Tensor) -> Tensor:
    """The image resized bicubically to the other's size, uint8."""
    pixels = image.permute(1, 2, 0).numpy()
    resized = bicubic(pixels, *other.shape[1:])
    return torch.from_numpy(resized.copy()).permute(2, 0, 1)
