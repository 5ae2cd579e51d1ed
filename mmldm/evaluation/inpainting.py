"""Metric: are holes filled as in the original?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve
from torch import Tensor

from mmldm.registry import METRICS
from mmldm.utils.power_spectrum import MIN_SIDE, OUTPUT, REAL, mean_spectrum

from .entry_samples import EntrySample, EntrySamplesMetric, mean_of_entries
from .reconstruction import psnr
from .sharpness import feature_distance

# Radius in pixels around a missing pixel, as in OpenCV's examples.
RADIUS = 3
# Steps to the neighbours of a pixel, in rows and columns.
NEIGHBOURS = (-1, 0), (1, 0), (0, -1), (0, 1)


def telea(image: Tensor, mask: Tensor) -> Tensor:
    """OpenCV's inpainting by fast marching; Telea 2004.

    Args:
        image: uint8 (3, H, W).
        mask: (1, H, W), 1 in the hole, whose pixels are not used.

    Returns:
        uint8 (3, H, W).
    """
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    hole = mask[0].numpy().astype(np.uint8)
    filled = cv2.inpaint(pixels, hole, RADIUS, cv2.INPAINT_TELEA)
    return torch.from_numpy(filled).permute(2, 0, 1)


def membrane(image: Tensor, mask: Tensor) -> Tensor:
    """The smoothest filling: each missing pixel is its neighbours' mean.

    Args:
        image: uint8 (3, H, W).
        mask: (1, H, W), 1 in the hole, whose pixels are not used.

    Returns:
        uint8 (3, H, W).
    """
    hole = mask[0].numpy().astype(bool)
    known = image.permute(1, 2, 0).numpy().astype(float)
    count, places = int(hole.sum()), np.stack(np.nonzero(hole))
    number = np.zeros(hole.shape, int)
    number[hole] = np.arange(count)
    right, counted = np.zeros((count, 3)), np.zeros(count)
    links = csr_matrix((count, count))
    for step in NEIGHBOURS:
        beside = places + np.reshape(step, (2, 1))
        limits = np.reshape(hole.shape, (2, 1))
        rows = np.flatnonzero(((beside >= 0) & (beside < limits)).all(0))
        beside = tuple(beside[:, rows])
        counted[rows] += 1
        open_ = hole[beside]
        pair = rows[open_], number[beside][open_]
        links += csr_matrix((np.ones(len(pair[0])), pair), links.shape)
        right[rows[~open_]] += known[beside][~open_]
    if 0 < count < hole.size:
        known[hole] = spsolve((diags(counted) - links).tocsc(), right)
    filled = np.clip(known.round(), 0, 255).astype(np.uint8)
    return torch.from_numpy(filled).permute(2, 0, 1)


# Fillings without a network, to compare with.
BASELINES = dict(telea=telea, membrane=membrane)


@METRICS.register_module()
class InpaintingMetrics(EntrySamplesMetric):
    """Error and detail inside the hole, and whether the rest is unchanged.

    The metric reads ``gt_img`` and ``mask``, which ``PackInputs(gt_img=True)``
    and ``RandomMask`` or ``LoadMask`` in the pipeline of the test data give.

    Args:
        features: See :class:`EntrySamplesMetric`; a distance that can be
            limited to ``places``.
        patches: See :class:`EntrySamplesMetric`.

    Attributes:
        spectra: The last spectra, for ``SpectraHook``: of squares of 32
            pixels that have as much of the holes as there can be.
    """

    default_prefix = 'inpaint'
    fields = ('gt_img', 'mask')

    def compute_metrics(
        self, results: Sequence[EntrySample]
    ) -> dict[str, float]:
        """PSNR of the pixels in the hole, dB, detail, and the error outside.

        PSNRs are means over the images: ``psnr_mean`` for the mean of an
        entry's samples, ``psnr_sample`` for single samples, ``psnr_telea``
        for :func:`telea` and ``psnr_membrane`` for :func:`membrane` on the
        same images and masks. ``sharpness``, ``sharpness_telea`` and
        ``sharpness_membrane`` are gradient energies in the holes over those
        of the originals. ``features_sample``, ``features_telea`` and
        ``features_membrane`` are distances to the originals in the holes, and
        ``patches_sample`` and so on those of whole images, whose known pixels
        are the same. ``known_error`` is the largest error of a pixel outside
        the holes, in [0, 255].
        """
        means = mean_of_entries(results)
        fillings = dict(sample=results) | {
            name: [replace(d, image=fill(*d.fields)) for d in means]
            for name, fill in BASELINES.items()
        }
        values = dict(psnr_mean=self.mean_of(means, hole_psnr))
        for name, filled in fillings.items():
            values[f'psnr_{name}'] = self.mean_of(filled, hole_psnr)
        values |= self.distances(fillings)
        self.spectra = _spectra(fillings, means)
        return values | dict(
            sharpness=_sharpness(results),
            sharpness_telea=_sharpness(fillings['telea']),
            sharpness_membrane=_sharpness(fillings['membrane']),
            known_error=max(_known_error(d.image, *d.fields) for d in results),
        )

    def feature_distance(
        self, image: Tensor, truth: Tensor, mask: Tensor
    ) -> float:
        """Distance in the hole; features see the pixels around it."""
        return feature_distance(self.distance, image, truth, mask)


def hole_psnr(image: Tensor, truth: Tensor, mask: Tensor) -> float:
    """PSNR of the pixels in the hole, dB."""
    hole = mask[0].bool()
    return psnr(image[:, hole], truth[:, hole])


def _known_error(image: Tensor, truth: Tensor, mask: Tensor) -> float:
    error = (image.double() - truth.double()).abs()
    return float((error * ~mask.bool()).max())


def hole_energy(image: Tensor, mask: Tensor) -> float:
    """Sum of squared differences of neighbouring pixels in the hole."""
    hole = mask[0].bool()
    total = 0.0
    for dim in (0, 1):
        length = hole.shape[dim] - 1
        pair = hole.narrow(dim, 0, length) & hole.narrow(dim, 1, length)
        steps = image.double().diff(dim=dim + 1)
        total += float(steps[:, pair].square().sum())
    return total


def _sharpness(samples: Sequence[EntrySample]) -> float:
    """Gradient energy in the holes over that of the originals."""
    ours = sum(hole_energy(d.image, d.fields[1]) for d in samples)
    theirs = sum(hole_energy(*d.fields) for d in samples)
    return ours / theirs if theirs else 1.0


def _spectra(
    fillings: Mapping[str, Sequence[EntrySample]],
    entries: Sequence[EntrySample],
) -> dict[str, Tensor]:
    """Spectra of originals and fillings near the holes, if large enough.

    Args:
        fillings: Samples by the name of the filling.
        entries: One sample of each entry.
    """
    if any(min(d.image.shape[1:]) < MIN_SIDE for d in entries):
        return {}

    def near_holes(samples: Sequence[EntrySample]) -> Tensor:
        return mean_spectrum([d.image[_window(d.fields[1])] for d in samples])

    originals = [replace(d, image=d.fields[0]) for d in entries]
    curves = {REAL: near_holes(originals)}
    for name, samples in fillings.items():
        curves[OUTPUT if name == 'sample' else name] = near_holes(samples)
    return curves


def _window(mask: Tensor) -> tuple[slice, slice, slice]:
    """The square of an image with most of its hole."""
    shares = F.avg_pool2d(mask[None].float(), MIN_SIDE, stride=1)[0, 0]
    top, left = divmod(int(shares.argmax()), shares.shape[1])
    return (
        slice(None),
        slice(top, top + MIN_SIDE),
        slice(left, left + MIN_SIDE),
    )
