"""What latents are like: whether they suit a diffusion model."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import METRICS
from mmldm.utils.moments import pooled_moments, sample_moments


@METRICS.register_module()
class LatentStatistics(BaseMetric):
    """Mean and deviation of every channel of ``latent``; use of ``codes``.

    Of *scaled* latents, whose deviation is about 1 once the scale is
    measured.
    """

    default_prefix = 'latent'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Reduce the latents of a batch."""
        for sample in data_samples:
            row = dict(moments=sample_moments(sample['latent'][None])[0])
            if 'codes' in sample:
                row['num_codes'] = sample['num_codes']
                row['codes'] = sample['codes'].cpu().unique(return_counts=True)
            self.results.append(row)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """By channel ``mean_0`` ... and ``std_0`` ...; of a codebook its use.

        ``code_usage`` is the share of the codes that some image uses,
        ``perplexity`` the number of codes that, used equally, would have the
        same entropy; both over the whole set.
        """
        moments = torch.stack([row['moments'] for row in results])
        metrics = {
            f'{name}_{channel}': value
            for name, values in zip(
                ('mean', 'std'), pooled_moments(moments), strict=True
            )
            for channel, value in enumerate(values.tolist())
        }
        if 'codes' in results[0]:
            metrics |= _code_metrics(
                [row['codes'] for row in results], results[0]['num_codes']
            )
        return metrics


def _code_metrics(
    counted: Sequence[tuple[Tensor, Tensor]], num_codes: int
) -> dict[str, float]:
    """Usage and perplexity from each image's (codes, their counts)."""
    counts = torch.zeros(num_codes, dtype=torch.int64)
    for codes, number in counted:
        counts[codes] += number
    share = counts.double() / counts.sum()
    entropy = -torch.xlogy(share, share).sum()
    return dict(
        code_usage=int((counts > 0).sum()) / num_codes,
        perplexity=float(entropy.exp()),
    )
