"""A loss of decoded estimates, which weighs errors as they are seen."""

from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils import check_positive
from mmldm.utils.checks import check_share
from mmldm.utils.typing import ConfigType

from .extra_loss import ExtraLoss, TrainingStep


@MODELS.register_module()
class DecodedLoss(ExtraLoss):
    """Distance between the decoded estimate and the decoded clean latent.

    The denoising error counts all latent channels alike, but some of them
    hardly change an image, and small errors of others are seen at once. Here
    the estimate of the clean latent, and that latent itself, are decoded by
    the frozen first stage, and the two images are compared as in the training
    of a first stage. Berrada et al. 2025 (arXiv:2411.04873) compare features
    of the decoder in the same way.

    Only some images of a batch are decoded, as this takes more time than the
    denoiser of a small model: each with the probability ``share``. The
    estimate from very noisy latents is a mean of many possible images, which
    should stay smooth; ``max_noise`` leaves such latents out. A prediction of
    the noise needs this limit, as the estimate's error is sigma / alpha times
    that of the output.

    The terms are ``decoded_pixels`` and ``decoded_perceptual``.

    Args:
        perceptual: Config of an image distance, such as
            ``PretrainedFeatures``; None for none.
        perceptual_weight: Weight of that distance, > 0.
        pixel_weight: Weight of the mean absolute difference of pixels, > 0.
        max_noise: Largest sigma / alpha of the latents that are decoded; None
            for no limit.
        share: Share of the images that are decoded, in (0, 1].
    """

    decodes = True

    def __init__(
        self,
        perceptual: ConfigType | None = None,
        perceptual_weight: float = 0.1,
        pixel_weight: float = 1.0,
        max_noise: float | None = 2.0,
        share: float = 0.25,
    ) -> None:
        super().__init__()
        check_positive('DecodedLoss.perceptual_weight', perceptual_weight)
        check_positive('DecodedLoss.pixel_weight', pixel_weight)
        if max_noise is not None:
            check_positive('DecodedLoss.max_noise', max_noise)
        check_share('DecodedLoss.share', share)
        self.perceptual = perceptual and MODELS.build(perceptual)
        self.perceptual_weight = perceptual_weight
        self.pixel_weight = pixel_weight
        self.max_noise = inf if max_noise is None else max_noise
        self.share = share

    def forward(self, step: TrainingStep) -> dict[str, Tensor]:
        """See :class:`ExtraLoss`."""
        chosen = self.chosen(step)
        # A sum over the chosen images: the mean over processes is then that
        # of the whole batch, however many of them each process has.
        scale = 1 / (self.share * len(step.out))
        distances = self.distances(step, chosen) if chosen else {}
        none = step.out.new_zeros(())
        return {
            f'decoded_{name}': scale * weight * distances.get(name, none).sum()
            for name, weight in self.weights().items()
        }

    def weights(self) -> dict[str, float]:
        """The weight of each kind of distance that is used."""
        weights = dict(pixels=self.pixel_weight)
        if self.perceptual:
            weights['perceptual'] = self.perceptual_weight
        return weights

    def distances(
        self, step: TrainingStep, places: list[int]
    ) -> dict[str, Tensor]:
        """Distances of the decoded images at these places, by kind, (N,)."""
        ours = step.decode(_at(step.estimate(), places))
        with torch.no_grad():
            true = step.decode(_at(step.z_0, places))
        error = F.l1_loss(ours, true, reduction='none')
        found = dict(pixels=error.flatten(1).mean(1))
        if self.perceptual:
            found['perceptual'] = self.perceptual(ours, true)
        return found

    def chosen(self, step: TrainingStep) -> list[int]:
        """Places in the batch of the images that are decoded.

        They are the same for any number of processes.
        """
        # Not every so-many-th image: stratified times of these are alike.
        picked = step.random.uniform('decoded') < self.share
        noise = step.level.sigma / step.level.alpha
        return (picked & (noise <= self.max_noise)).nonzero()[:, 0].tolist()


def _at(z: Tensor, places: list[int]) -> Tensor:
    """The latents of these places; a list as an index waits for a GPU."""
    return torch.stack([z[place] for place in places])
