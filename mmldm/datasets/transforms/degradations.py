"""Low-resolution images for super-resolution."""

from abc import abstractmethod

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_choice, check_count
from mmldm.utils.pixels import bicubic

from .bsrgan import SETTINGS, degrade


class Degradation(BaseTransform):
    """Make ``img_lq``, uint8 RGB (H / factor, W / factor, 3), from ``img``.

    This transform comes after all that resize, crop or flip.

    Args:
        factor: Factor by which the image becomes smaller.
    """

    def __init__(self, factor: int = 4) -> None:
        check_count(f'{type(self).__name__}.factor', factor)
        self.factor = factor

    def transform(self, results: dict) -> dict:
        """Add ``img_lq``.

        Raises:
            ValueError: If the factor does not divide height and width.
        """
        height, width = results['img'].shape[:2]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f'{results.get("img_path", "an image")} is {height}x{width}, '
                f'which {type(self).__name__}.factor={self.factor} does not '
                'divide: put a Crop to a multiple of the factor before it'
            )
        results['img_lq'] = self.degrade(results['img'])
        return results

    @abstractmethod
    def degrade(self, image: np.ndarray) -> np.ndarray:
        """Make a small image from a large one, both uint8 RGB."""


@TRANSFORMS.register_module()
class DegradeBicubic(Degradation):
    """Shrink only, without aliasing, by Pillow's bicubic kernel.

    Args:
        factor: Factor by which the image becomes smaller.
    """

    def degrade(self, image: np.ndarray) -> np.ndarray:
        """See :class:`Degradation`."""
        height, width = (side // self.factor for side in image.shape[:2])
        return bicubic(image, height, width)


@TRANSFORMS.register_module()
class DegradeBSRGAN(Degradation):
    """Blur, resize, add noise and compress at random; see ``bsrgan.py``.

    Args:
        factor: Factor by which the image becomes smaller.
        strength: 'full' as in BSRGAN, or 'light' as in the training of the
            super-resolution model of Rombach et al. 2022.
    """

    def __init__(self, factor: int = 4, *, strength: str) -> None:
        super().__init__(factor)
        check_choice('DegradeBSRGAN.strength', strength, SETTINGS)
        self.settings = SETTINGS[strength]

    def degrade(self, image: np.ndarray) -> np.ndarray:
        """See :class:`Degradation`."""
        pixels = image.astype(np.float32) / 255
        small = degrade(pixels, self.factor, self.settings)
        return (small * 255).round().astype(np.uint8)
