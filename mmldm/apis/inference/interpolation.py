"""Images between the noises of two seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmldm.models.editors import LatentDiffusion
from mmldm.utils import SampleRandom, check_range

from .batches import Samples, Wrap


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Spherical interpolation: between normal noises, it stays normal noise.

    A straight line would pass through noise of less variance, which a model
    takes for a nearly clean image. Shoemake 1985, section 3.3.

    Args:
        start: Result at share 0, returned bit for bit.
        end: Result at share 1, returned bit for bit.
        share: In [0, 1].
    """
    check_range('share', share, 0, 1)
    if share in (0, 1):
        return (start, end)[int(share)]
    a, b = start.double().flatten(), end.double().flatten()
    cosine = torch.dot(a, b) / (a.norm() * b.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if torch.sin(angle) < 1e-6:  # the same direction: a line is the limit
        mixed = (1 - share) * start.double() + share * end.double()
    else:
        mixed = (
            torch.sin((1 - share) * angle) * start.double()
            + torch.sin(share * angle) * end.double()
        ) / torch.sin(angle)
    return mixed.to(start.dtype)


@dataclass(frozen=True)
class Interpolation:
    """Makes images whose numbers are places between two seeds.

    Args:
        seeds: First and last seed.
        frames: Number of images, 2 or more; the first and the last are those
            that the seeds give.
    """

    seeds: Sequence[int]
    frames: int

    def __call__(
        self, model: LatentDiffusion, samples: Samples, wrap: Wrap | None
    ) -> Samples:
        """The data samples with ``pred_img``, uint8 RGB (3, H, W)."""
        places = [sample.random_address[-1] for sample in samples]
        for sample in samples:  # one noise of the solver for all frames
            sample.set_metainfo(dict(address=(self.seeds[0], 0)))
        scheduler = model.diffusion_scheduler
        levels = scheduler.levels()
        noise = self._noises(model.empty_latents(samples), places)
        start = scheduler.start(noise, levels[0])
        z = model.sample(samples, start=start, levels=levels, wrap=wrap)
        with torch.no_grad():
            x = model.autoencoder.decode(z, samples[0].img_shape)
        images = model.finished(x, samples)
        for sample, image in zip(samples, images, strict=True):
            sample.pred_img = image
        return samples

    def _noises(self, like: Tensor, places: Sequence[int]) -> Tensor:
        """Noise at each place, (B, C, h, w)."""
        ends = [
            SampleRandom([(seed, 0)]).normal('start')(like[:1])[0]
            for seed in self.seeds
        ]
        return torch.stack(
            [slerp(*ends, place / (self.frames - 1)) for place in places]
        )

    @property
    def settings(self) -> dict[str, Any]:
        """See ``Edit``."""
        return dict(interpolate=[*self.seeds], frames=self.frames)
