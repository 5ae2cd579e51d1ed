"""The denoising of images, evaluation by evaluation."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmldm.diffusion import NoiseLevel
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.models.editors import LatentDiffusion

from .strips import evenly, write_animation, write_strip

# States in a strip and an animation.
FRAMES = 16


def steps_of(model: LatentDiffusion, share: float = 1) -> list[int]:
    """The step, from 1, whose level each evaluation of the network is at.

    The solver is run on one number in place of latents.

    Args:
        model: The model, which samples as wanted.
        share: The last part of the steps that an edit makes, in (0, 1].
    """
    levels = model.diffusion_scheduler.levels()
    count = max(1, round(share * (len(levels) - 1)))
    levels = levels[-count - 1 :]
    starts = [float(level.t) for level, _ in pairwise(levels)]
    found = []

    def denoise(z_t: Tensor, level: NoiseLevel) -> Tensor:
        # An evaluation between two levels belongs to the earlier one.
        found.append(sum(t >= float(level.t) for t in starts) or 1)
        return torch.zeros_like(z_t)

    number = torch.zeros(1, 1, 1, 1)
    model.diffusion_scheduler.solver(denoise, number, levels, torch.zeros_like)
    return [max(found[: i + 1]) for i in range(len(found))]


class Denoising:
    """Keeps the estimates of the clean images while they are generated.

    Args:
        model: Decodes the estimates.
    """

    def __init__(self, model: LatentDiffusion) -> None:
        self.model = model
        self.states: list[Tensor] = []
        self.place = -1

    def __call__(self, evaluation: int, z_0: Tensor) -> None:
        """Keep an estimate.

        Args:
            evaluation: Its number, from 1; at 1 a new batch begins.
            z_0: Estimated latents, (B, C, h, w).
        """
        if evaluation == 1:
            self.states, self.place = [], -1
        self.states.append(z_0.detach().clone())

    def advance(self) -> None:
        """Go to the next image of the batch."""
        self.place += 1

    def frames(self, image: np.ndarray) -> list[np.ndarray]:
        """States of an image, evenly chosen, and the image itself.

        Args:
            image: uint8 RGB (H, W, 3), the last frame.
        """
        chosen = evenly(len(self.states), FRAMES - 1)
        latents = torch.stack([self.states[i][self.place] for i in chosen])
        with torch.no_grad():
            pixels = to_images(
                self.model.autoencoder.decode(latents, image.shape[:2])
            )
        before = pixels.permute(0, 2, 3, 1).cpu().numpy()
        return [*before, image]


def write_denoising(frames: Sequence[np.ndarray], stem: Path) -> None:
    """Write states as ``stem.png``, a strip, and ``stem.webp``."""
    strip, animation = _files(stem)
    write_strip(frames, strip)
    write_animation(frames, animation)


def is_shown(stem: Path) -> bool:
    """Whether both files of :func:`write_denoising` are there."""
    return all(file.exists() for file in _files(stem))


def _files(stem: Path) -> tuple[Path, Path]:
    """The strip, and the animation, which is written last."""
    return tuple(stem.with_name(f'{stem.name}.{k}') for k in ('png', 'webp'))
