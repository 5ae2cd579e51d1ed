"""A loss of decoded estimates, which weighs errors as they are seen."""

from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils import check_count, check_positive, check_range
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
    denoiser of a small model: those whose number in the run is a multiple of
    ``every``, for any number of processes. In very noisy latents, the
    estimate is a mean of many images, which should not look like one of them:
    ``max_noise`` leaves them out.

    Its terms are ``decoded_pixels`` and ``decoded_perceptual``.

    Args:
        perceptual: Config of an image distance, such as
            ``PretrainedFeatures``; None for none.
        perceptual_weight: Weight of the perceptual distance.
        pixel_weight: Weight of the mean absolute difference of pixels.
        max_noise: Largest sigma / alpha of the latents that are decoded; None
            for no limit.
        every: The share of decoded images is 1 / every.
    """

    def __init__(
        self,
        perceptual: ConfigType | None = None,
        perceptual_weight: float = 0.1,
        pixel_weight: float = 1.0,
        max_noise: float | None = None,
        every: int = 4,
    ) -> None:
        super().__init__()
        check_range('perceptual_weight', perceptual_weight, 0, inf)
        check_range('pixel_weight', pixel_weight, 0, inf)
        if max_noise is not None:
            check_positive('max_noise', max_noise)
        check_count('every', every)
        self.perceptual = perceptual and MODELS.build(perceptual)
        self.perceptual_weight = perceptual_weight
        self.pixel_weight = pixel_weight
        self.max_noise = inf if max_noise is None else max_noise
        self.every = every

    def forward(self, step: TrainingStep) -> dict[str, Tensor]:
        """See :class:`ExtraLoss`."""
        # Sums over the chosen images: the mean over processes is then that
        # of the whole batch, however many of them each process has.
        share = self.every / len(step.out)
        return {
            f'decoded_{name}': share * distances.sum()
            for name, distances in self.distances(step).items()
        }

    def distances(self, step: TrainingStep) -> dict[str, Tensor]:
        """Weighted distances of the chosen images, by kind, each (N,)."""
        chosen = self.chosen(step)
        if not chosen:
            none = step.out.new_zeros(0)
            kinds = ('pixels', 'perceptual')[: 1 + bool(self.perceptual)]
            return dict.fromkeys(kinds, none)
        ours = step.decode(_at(step.estimate(), chosen))
        with torch.no_grad():
            true = step.decode(_at(step.z_0, chosen))
        pixels = F.l1_loss(ours, true, reduction='none').flatten(1).mean(1)
        found = dict(pixels=self.pixel_weight * pixels)
        if self.perceptual:
            distance = self.perceptual(ours, true)
            found['perceptual'] = self.perceptual_weight * distance
        return found

    def chosen(self, step: TrainingStep) -> list[int]:
        """Places in the batch of the images that are decoded."""
        noise = (step.level.sigma / step.level.alpha).tolist()
        return [
            place
            for place, address in enumerate(step.random.addresses)
            if address[-1] % self.every == 0 and noise[place] <= self.max_noise
        ]


def _at(z: Tensor, places: list[int]) -> Tensor:
    """The latents of these places; a list as an index waits for a GPU."""
    return torch.stack([z[place] for place in places])
