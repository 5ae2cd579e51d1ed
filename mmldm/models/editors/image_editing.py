"""Editing of given images by a model that was not trained for editing."""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from mmldm.diffusion import add_noise, editing
from mmldm.diffusion.solvers import Denoise
from mmldm.utils import SampleRandom
from mmldm.utils.typing import SampleList

# A fraction of a step below this is a rounding error.
WHOLE_STEP = 1e-6
Wrap = Callable[[Denoise], Denoise]


class ImageEditing:
    """Mix-in of ``LatentDiffusion``: variations, inpainting, inversion.

    Images are in [-1, 1], (B, 3, H, W), of any size. Each image has one data
    sample, with its conditions and random address. ``wrap`` changes the
    denoising function, see ``LatentDiffusion.sample``.
    """

    @torch.no_grad()
    def vary(
        self,
        images: Tensor,
        data_samples: SampleList,
        strength: float,
        wrap: Wrap | None = None,
    ) -> Tensor:
        """Variations of the images, roughly in [-1, 1], (B, 3, H, W).

        Noise is added to the images and removed again; Meng et al. 2022
        (arXiv:2108.01073).

        Args:
            images: The images to start from.
            data_samples: See the class.
            strength: Fraction of the sampling steps to make, in (0, 1]. Near
                0 the result stays close to the image; at 1 almost nothing of
                the image is left. The value is rounded to whole steps, at
                least one; a warning says so.
            wrap: See the class.

        Raises:
            ValueError: If strength is out of range, or images and data
                samples do not fit.
        """
        whole = self.diffusion_scheduler.levels()
        levels = editing.last_levels(whole, strength)
        _say_rounding(strength, len(levels) - 1, len(whole) - 1)
        z_0 = self._encode(images, data_samples)
        noise = SampleRandom.of(data_samples).normal('start')(z_0)
        start = add_noise(z_0, noise, levels[0])
        z = self.sample(data_samples, start, levels, wrap)
        return self.autoencoder.decode(z, images.shape[2:])

    @torch.no_grad()
    def inpaint(
        self,
        images: Tensor,
        mask: Tensor,
        data_samples: SampleList,
        num_passes: int = 2,
        wrap: Wrap | None = None,
    ) -> Tensor:
        """The images with new content under the mask, (B, 3, H, W).

        Known pixels steer the rest, see :func:`editing.keep_known`, and are
        copied unchanged into the result.

        Args:
            images: The content under the mask does not matter.
            mask: True or 1 where to fill, False or 0 where the image is
                known, (B, 1, H, W).
            data_samples: See the class.
            num_passes: How often to sample, >= 1. The encoder also sees the
                inside of a hole, which is grey in the first pass; each
                further pass replaces it with the result of the pass before.
            wrap: See the class.

        Raises:
            ValueError: If the mask has a wrong type or shape or is empty, if
                num_passes < 1, or images and data samples do not fit.
        """
        mask = _checked_mask(mask, images)
        if num_passes < 1:
            raise ValueError(f'num_passes={num_passes} must be at least 1')
        filled = images.masked_fill(mask, 0)
        for _ in range(num_passes):
            filled = self._fill(filled, mask, data_samples, wrap)
        return filled

    def outpaint(
        self,
        images: Tensor,
        padding: Sequence[int],
        data_samples: SampleList,
    ) -> Tensor:
        """The images with new content around them, larger by the padding.

        Args:
            images: The images to extend.
            padding: New pixels (left, right, top, bottom), each >= 0, in the
                order of ``F.pad``.
            data_samples: See the class.

        Raises:
            ValueError: If the padding is invalid, or images and
                data samples do not fit.
        """
        if len(padding) != 4 or min(padding) < 0 or not any(padding):
            raise ValueError(
                f'padding={tuple(padding)} must be the new pixels (left, '
                'right, top, bottom), none negative and not all 0'
            )
        canvas = F.pad(images, tuple(padding))
        known = torch.zeros_like(images[:, :1])
        mask = F.pad(known, tuple(padding), value=1)
        return self.inpaint(canvas, mask, data_samples)

    @torch.no_grad()
    def invert(
        self,
        images: Tensor,
        data_samples: SampleList,
        num_iters: int = 1,
        wrap: Wrap | None = None,
    ) -> Tensor:
        """Latents from which ``sample`` generates the images, (B, C, h, w).

        The solver must be deterministic and the conditions the same. With
        other conditions, ``sample`` generates an edited image:

            z = model.invert(images, threes)
            edited = model.sample(eights, start=z)

        Args:
            images: The images to reproduce.
            data_samples: See the class.
            num_iters: Evaluations per step; see :func:`editing.invert`.
            wrap: See the class.

        Raises:
            ValueError: If num_iters is less than 1, or images and data
                samples do not fit.
        """
        denoise = self.denoise_for(data_samples)
        return editing.invert(
            denoise if wrap is None else wrap(denoise),
            self._encode(images, data_samples),
            self.diffusion_scheduler.levels(),
            num_iters,
        )

    def _fill(
        self,
        images: Tensor,
        mask: Tensor,
        data_samples: SampleList,
        wrap: Wrap | None,
    ) -> Tensor:
        """One pass of :meth:`inpaint`."""
        z_known = self._encode(images, data_samples)
        holes = self.autoencoder.pad(mask.to(images))
        known = F.max_pool2d(holes, self.autoencoder.factor) == 0
        levels = self.diffusion_scheduler.levels()
        noise = SampleRandom.of(data_samples).normal('start')(z_known)
        keep = partial(editing.keep_known, z_known=z_known, mask=known)
        z = self.sample(
            data_samples,
            start=add_noise(z_known * known, noise, levels[0]),
            levels=levels,
            wrap=keep if wrap is None else lambda d: wrap(keep(d)),
        )
        filled = self.autoencoder.decode(z, images.shape[2:])
        return torch.where(mask, filled.to(images), images)

    def _encode(self, images: Tensor, data_samples: SampleList) -> Tensor:
        """Latents of the images, the modes of their posteriors."""
        if not images.is_floating_point() or images.shape[1:2] != (3,):
            raise ValueError(
                f'images are {images.dtype} of shape {tuple(images.shape)}, '
                'but must be floats in [-1, 1], (B, 3, H, W)'
            )
        if len(images) != len(data_samples):
            raise ValueError(
                f'{len(images)} images with {len(data_samples)} data '
                'samples: give one data sample for each image'
            )
        return self.autoencoder.encode(images).float()


def whole_strength(strength: float, most: int) -> float:
    """The strength that whole steps make, with a warning if it differs.

    Args:
        strength: Fraction of the steps to make, in (0, 1].
        most: Number of steps.

    Raises:
        ValueError: If strength is out of range.
    """
    num_steps = len(editing.last_levels(range(most + 1), strength)) - 1
    _say_rounding(strength, num_steps, most)
    return num_steps / most


def _say_rounding(strength: float, num_steps: int, most: int) -> None:
    """Warn if a strength is no whole number of steps."""
    if abs(strength * most - num_steps) > WHOLE_STEP:
        print_log(
            f'strength={strength:g} of {most} steps is rounded to {num_steps} '
            f'of them, which is strength={num_steps / most:g}',
            logger='current',
            level=logging.WARNING,
        )


def _checked_mask(mask: Tensor, images: Tensor) -> Tensor:
    """The mask as bool, once its type, shape and values are valid."""
    expected = (len(images), 1, *images.shape[2:])
    if mask.shape != expected:
        raise ValueError(
            f'mask has the shape {tuple(mask.shape)} for images of '
            f'{tuple(images.shape)}: give {expected}'
        )
    filled = mask == 1
    if not (filled | (mask == 0)).all():
        raise ValueError(
            f'mask has values in [{mask.min():g}, {mask.max():g}], but must '
            'be 1 where to fill and 0 elsewhere: threshold it, mask > 127'
        )
    if not filled.any():
        raise ValueError(
            'mask is 0 everywhere, which fills nothing: it must be 1 where '
            'to fill'
        )
    return filled
