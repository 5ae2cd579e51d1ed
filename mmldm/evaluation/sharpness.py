"""Metrics: do images have the detail of real ones?"""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor, nn

from mmldm.registry import METRICS, MODELS
from mmldm.utils.pixels import to_unit_range
from mmldm.utils.power_spectrum import (
    OUTPUT,
    REAL,
    gradient_energy,
    high_share,
    power_spectrum,
    spectrum_gap,
)
from mmldm.utils.typing import ConfigType

from .patch_features import PatchDistance
from .real_images import real_images


def detail_of(image: Tensor) -> tuple[float, Tensor]:
    """Gradient energy and power spectrum of an image (3, H, W)."""
    return gradient_energy(image), power_spectrum(image.cpu())


@METRICS.register_module()
class Sharpness(BaseMetric):
    """Gradient energy and power spectrum of ``pred_img`` over real ones.

    A single sample can only be sharp if it invents detail, which PSNR
    punishes and these numbers do not; they do not see whether the detail is
    plausible. Judge them together with :class:`FeatureDistance`.

    Args:
        dataset: Config of the real images; None compares with ``gt_img``.

    Attributes:
        spectra: The last spectra, for ``SpectraHook``.
    """

    default_prefix = 'sharpness'

    def __init__(
        self, dataset: ConfigType | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.spectra: dict[str, Tensor] = {}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure a batch.

        Raises:
            ValueError: If there is no real image to compare with.
        """
        for sample in data_samples:
            row = [detail_of(sample['pred_img'])]
            if self.dataset is None:
                row.append(detail_of(_truth(sample, 'Sharpness')))
            self.results.append(row)

    def compute_metrics(self, results: list[list]) -> dict[str, float]:
        """``gradient``, ``high`` and ``gap``.

        The first two are gradient energy, and power of waves of 2 to 4
        pixels, over those of the real images: 1 is best. ``gap`` is the mean
        difference of the spectra, dB.
        """
        if self.dataset is None:
            real = [row[1] for row in results]
        else:
            real = [detail_of(image) for image in real_images(self.dataset)]
        ours, theirs = (
            [sum(column) / len(rows) for column in zip(*rows, strict=True)]
            for rows in ([row[0] for row in results], real)
        )
        self.spectra = {REAL: theirs[1], OUTPUT: ours[1]}
        return dict(
            gradient=ours[0] / theirs[0],
            high=high_share(ours[1], theirs[1]),
            gap=spectrum_gap(ours[1], theirs[1]),
        )


@METRICS.register_module()
class FeatureDistance(BaseMetric):
    """Distance of ``pred_img`` to ``gt_img`` in the features of networks.

    Args:
        features: Config of an image distance, such as ``PretrainedFeatures``;
            None for that of EfficientNet-Lite0.
        patches: Also measure the :class:`PatchDistance`, which needs no
            network: a judge that no loss has seen. All images must
            have one size, and are kept until the end.
    """

    default_prefix = 'distance'

    def __init__(
        self,
        features: ConfigType | None = None,
        patches: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.distance = MODELS.build(features or LITE).eval()
        self.patches = patches

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure a batch, image by image: they may differ in size.

        Raises:
            ValueError: If there is no real image to compare with.
        """
        for sample in data_samples:
            pair = sample['pred_img'], _truth(sample, 'FeatureDistance')
            kept = [image.cpu() for image in pair] if self.patches else None
            far = feature_distance(self.distance, *pair)
            self.results.append((far, kept))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """``features`` and ``patches``, 0 for the real images themselves.

        ``patches`` is a :class:`PatchDistance`.
        """
        far = [distance for distance, _ in results]
        values = dict(features=sum(far) / len(far))
        if not self.patches:
            return values
        if len(results) < 2:
            print_log(
                'distance/patches is left out: it needs two images or more',
                'current',
                logging.WARNING,
            )
            return values
        images, truths = zip(*(kept for _, kept in results), strict=True)
        distance = PatchDistance(truths)
        return values | dict(patches=distance(images, range(len(truths))))


@torch.no_grad()
def feature_distance(
    distance: nn.Module,
    image: Tensor,
    truth: Tensor,
    places: Tensor | None = None,
) -> float:
    """Distance of an image to the truth, both uint8 (3, H, W).

    Args:
        distance: Distance of batches in [-1, 1], such as
            ``PretrainedFeatures``.
        image: The image.
        truth: The real image.
        places: Which pixels count, (1, H, W) in [0, 1]; None for all.
    """
    inputs = [to_unit_range(x[None]) for x in (image, truth)]
    if places is not None:
        inputs.append(places[None].to(image.device))
    return float(distance.to(image.device)(*inputs))


LITE = dict(
    type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
)


def _truth(sample: dict, metric: str) -> Tensor:
    """The real image of a sample.

    Raises:
        ValueError: If it is missing.
    """
    if 'gt_img' not in sample:
        raise ValueError(
            f'{metric} needs gt_img, which is missing in the test data: set '
            'PackInputs(gt_img=True) in its pipeline'
        )
    return sample['gt_img']
