"""Edits of one picture, batch by batch; each makes images of data samples."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.diffusion import GradientGuidance, image_log_prob
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.models.editors import LatentDiffusion

from .batches import Samples, Wrap


@dataclass(frozen=True)
class Edit(ABC):
    """Makes images from a picture, or from its latents.

    Args:
        given: The picture in [-1, 1], (3, H, W), or what was made of it.
    """

    given: Tensor

    def __call__(
        self, model: LatentDiffusion, samples: Samples, wrap: Wrap | None
    ) -> Samples:
        """The data samples with ``pred_img``, uint8 RGB (3, H, W)."""
        device = next(model.parameters()).device
        given = self.given.to(device).expand(len(samples), -1, -1, -1)
        images = to_images(self.edited(model, given, samples, wrap))
        for sample, image in zip(samples, images, strict=True):
            sample.pred_img = image
        return samples

    @abstractmethod
    def edited(
        self,
        model: LatentDiffusion,
        given: Tensor,
        samples: Samples,
        wrap: Wrap | None,
    ) -> Tensor:
        """Images of about [-1, 1], (B, 3, H, W).

        Args:
            model: The model, which samples as wanted.
            given: The picture, once for each sample.
            samples: Conditions, random addresses and sizes.
            wrap: See ``LatentDiffusion.sample``.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """Name and numbers of the edit."""
        numbers = {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, int | float)
        }
        return dict(edit=type(self).__name__.lower(), **numbers)


@dataclass(frozen=True)
class Vary(Edit):
    """Noise is added and removed; see ``LatentDiffusion.vary``."""

    strength: float

    def edited(self, model, given, samples, wrap):
        return model.vary(given, samples, self.strength, wrap)


@dataclass(frozen=True)
class Inpaint(Edit):
    """A part is filled; see ``LatentDiffusion.inpaint``."""

    mask: Tensor
    passes: int

    def edited(self, model, given, samples, wrap):
        mask = self.mask.to(given.device).expand(len(samples), -1, -1, -1)
        return model.inpaint(given, mask, samples, self.passes, wrap)


@dataclass(frozen=True)
class Invert(Edit):
    """The latents that the picture comes from are sampled again."""

    iterations: int

    def edited(self, model, given, samples, wrap):
        z = model.sample(samples, start=given, wrap=wrap)
        return model.autoencoder.decode(z, samples[0].img_shape)


@dataclass(frozen=True)
class Upscale(Edit):
    """The gradient of the distance to the small picture guides."""

    factor: int
    weight: float

    def edited(self, model, given, samples, wrap):
        def decode(z: Tensor) -> Tensor:
            return model.autoencoder.decode(z, samples[0].img_shape)

        def shrink(x: Tensor) -> Tensor:
            return F.avg_pool2d(x, self.factor)

        log_prob = image_log_prob(decode, shrink, given)
        guide = GradientGuidance(log_prob, self.weight)
        watched = guide if wrap is None else lambda d: wrap(guide(d))
        z = model.sample(samples, wrap=watched)
        with torch.no_grad():
            return decode(z)
