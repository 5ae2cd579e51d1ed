"""Metric: error of reconstructed images, image by image."""

import logging
from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmldm.registry import METRICS, MODELS
from mmldm.utils.size_parts import of_stacks
from mmldm.utils.typing import ConfigType

# Width in pixels of a Gaussian with deviation 1.5, cut off at 3.5 deviations.
SSIM_WINDOW = 11


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio of uint8 images, dB; at most 100."""
    error = (image.double() - reference.double()).square().mean()
    return min(float(10 * torch.log10(255**2 / error)), 100.0)


def ssim(image: Tensor, reference: Tensor) -> float:
    """Structural similarity of uint8 images (C, H, W), in [-1, 1].

    It uses the Gaussian window of Wang et al. 2004, section III.C, and is the
    mean over the channels.

    Raises:
        ValueError: If the images are smaller than the window.
    """
    from skimage.metrics import structural_similarity

    if min(image.shape[1:]) < SSIM_WINDOW:
        raise ValueError(
            f'SSIM expects sides of at least {SSIM_WINDOW} pixels, got '
            f'(H, W) = {tuple(image.shape[1:])}: use larger images, or '
            'remove ReconstructionMetrics from the evaluators'
        )
    return float(
        structural_similarity(
            image.cpu().numpy(),
            reference.cpu().numpy(),
            data_range=255,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


@METRICS.register_module()
class ReconstructionMetrics(BaseMetric):
    """Mean PSNR, SSIM and LPIPS of ``pred_img`` against ``gt_img``.

    Args:
        lpips: Config of ``LPIPS``; if its files are missing, it is left out
            with a warning. None leaves it out.
    """

    default_prefix = 'recon'

    def __init__(self, lpips: ConfigType | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.lpips = None
        if lpips is None:
            return
        try:
            self.lpips = MODELS.build(lpips)
        except FileNotFoundError as error:
            print_log(
                f'recon/lpips is left out: {error}', 'current', logging.WARNING
            )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure a batch."""
        pairs = [
            (sample['pred_img'], sample['gt_img']) for sample in data_samples
        ]
        rows = [dict(psnr=psnr(*pair), ssim=ssim(*pair)) for pair in pairs]
        if self.lpips is not None:
            distances = of_stacks(self._distances, *zip(*pairs, strict=True))
            for row, distance in zip(rows, distances, strict=True):
                row['lpips'] = distance
        self.results += rows

    def _distances(self, images: Tensor, references: Tensor) -> list[float]:
        """LPIPS of each pair of images, uint8 (B, 3, H, W)."""
        images, references = (x / 127.5 - 1 for x in (images, references))
        return self.lpips.to(images.device)(images, references).tolist()

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """``psnr``, dB, ``ssim`` in [-1, 1] and ``lpips``, lower is better."""
        # Another machine may lack the files of LPIPS.
        names = [n for n in results[0] if all(n in row for row in results)]
        return {
            n: sum(row[n] for row in results) / len(results) for n in names
        }
