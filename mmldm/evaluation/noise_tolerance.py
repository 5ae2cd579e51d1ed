"""How much reconstructions lose by noise on their latents."""

from collections.abc import Iterable, Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.models.editors import FirstStage
from mmldm.utils.moments import pooled_moments, sample_moments

# Seed of the noise, so that two first stages get the same.
SEED = 0


@torch.no_grad()
def noise_tolerance(
    model: FirstStage,
    batches: Iterable[dict],
    noises: Sequence[float],
    metrics: Sequence[BaseMetric],
) -> list[dict[str, float]]:
    """Metrics of images that are decoded from latents with noise.

    A diffusion model's latents have errors, which a first stage should
    tolerate. The latents are the posterior's mode.

    Args:
        model: The first stage.
        batches: Batches of a data loader.
        noises: Deviations of the noise, in deviations of each channel of all
            latents.
        metrics: Metrics of ``pred_img`` and ``gt_img``.

    Returns:
        For each noise, the values of all metrics, by name.
    """
    images, latents = [], []
    for batch in batches:
        inputs = model.data_preprocessor(batch)['inputs']
        latents += [*model.autoencoder.encode(inputs)]
        images += [*inputs]
    moments = torch.cat([sample_moments(z[None]) for z in latents])
    deviation = pooled_moments(moments)[1].float()[:, None, None]
    results = []
    for noise in noises:
        generator = torch.Generator().manual_seed(SEED)
        for z, image in zip(latents, images, strict=True):
            error = torch.randn(z.shape, generator=generator) * deviation
            _measure(model, z + noise * error.to(z), image, metrics)
        results.append(_values(metrics))
    return results


def _measure(
    model: FirstStage,
    z: Tensor,
    image: Tensor,
    metrics: Sequence[BaseMetric],
) -> None:
    """Decode a latent (C, h, w) and give the result to the metrics."""
    decoded = model.autoencoder.decode(z[None], image.shape[1:])
    sample = dict(
        pred_img=to_images(decoded)[0], gt_img=to_images(image[None])[0]
    )
    for metric in metrics:
        metric.process({}, [sample])


def _values(metrics: Sequence[BaseMetric]) -> dict[str, float]:
    """All metrics' values, with their prefixes; they start anew."""
    values = {}
    for metric in metrics:
        found = metric.compute_metrics(metric.results)
        values |= {f'{metric.prefix}/{k}': v for k, v in found.items()}
        metric.results.clear()
    return values
