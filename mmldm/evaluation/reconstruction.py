"""How well a first stage gives images back."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import METRICS


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio of uint8 images, dB; 100 where equal."""
    error = (image.double() - reference.double()).square().mean()
    return min(float(10 * torch.log10(255**2 / error)), 100.0)


@METRICS.register_module()
class ReconstructionPSNR(BaseMetric):
    """Mean over the images of the PSNR of ``pred_img`` to ``gt_img``, dB."""

    default_prefix = 'recon'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure a batch."""
        self.results += [
            psnr(sample['pred_img'], sample['gt_img'])
            for sample in data_samples
        ]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """``psnr``, dB."""
        return dict(psnr=sum(results) / len(results))
