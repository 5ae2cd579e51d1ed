"""Metric: statistics of latents, which should suit a diffusion model."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import METRICS
from mmldm.utils.moments import pooled_moments, sample_moments


@METRICS.register_module()
class LatentStatistics(BaseMetric):
    """Mean and deviation of each channel of ``latent``, and use of ``codes``.

    The latents are *scaled*: their deviation is about 1 once the scale is
    measured.
    """

    default_prefix = 'latent'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the moments of a batch's latents."""
        for sample in data_samples:
            row = dict(moments=sample_moments(sample['latent'][None])[0])
            if 'codes' in sample:
                row['num_codes'] = sample['num_codes']
                row['codes'] = sample['codes'].cpu().unique(return_counts=True)
            self.results.append(row)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """``mean_0`` ..., ``std_0`` ... by channel, and the codebook's use.

        ``code_usage`` is the share of codes that at least one image uses.
        ``perplexity`` is the number of codes that would have the same entropy
        if they were used equally. Both are over the whole set.
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
    """Usage and perplexity from each image's (codes, counts)."""
    counts = torch.zeros(num_codes, dtype=torch.int64)
    for codes, number in counted:
        counts[codes] += number
    share = counts.double() / counts.sum()
    entropy = -torch.xlogy(share, share).sum()
    return dict(
        code_usage=int((counts > 0).sum()) / num_codes,
        perplexity=float(entropy.exp()),
    )
