"""Metric: are holes filled as in the original?"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmldm.registry import METRICS

from .entry_samples import EntrySample, EntrySamplesMetric, mean_of_entries
from .reconstruction import psnr

# Radius in pixels around a missing pixel, as in OpenCV's examples.
RADIUS = 3


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


@METRICS.register_module()
class InpaintingMetrics(EntrySamplesMetric):
    """Error inside the hole, and whether the known part is unchanged.

    The metric reads ``gt_img`` and ``mask``, which ``PackInputs(gt_img=True)``
    and ``RandomMask`` or ``LoadMask`` in the pipeline of the test data give.
    """

    default_prefix = 'inpaint'
    fields = ('gt_img', 'mask')

    def compute_metrics(
        self, results: Sequence[EntrySample]
    ) -> dict[str, float]:
        """PSNR of the pixels in the hole, dB, and the error outside.

        PSNRs are means over the images: ``psnr_mean`` for the mean of an
        entry's samples, ``psnr_sample`` for single samples, and ``psnr_telea``
        for :func:`telea` on the same images and masks. ``known_error`` is the
        largest error of a pixel outside the holes, in [0, 255].
        """
        means = mean_of_entries(results)
        return dict(
            psnr_mean=self.mean_of(means, hole_psnr),
            psnr_sample=self.mean_of(results, hole_psnr),
            psnr_telea=self.mean_of(
                means, lambda _, x, mask: hole_psnr(telea(x, mask), x, mask)
            ),
            known_error=max(_known_error(d.image, *d.fields) for d in results),
        )


def hole_psnr(image: Tensor, truth: Tensor, mask: Tensor) -> float:
    """PSNR of the pixels in the hole, dB."""
    hole = mask[0].bool()
    return psnr(image[:, hole], truth[:, hole])


def _known_error(image: Tensor, truth: Tensor, mask: Tensor) -> float:
    error = (image.double() - truth.double()).abs()
    return float((error * ~mask.bool()).max())
