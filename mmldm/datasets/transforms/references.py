"""Reference images, which the generated image shall resemble."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_count
from mmldm.utils.pixels import clip_crop

from ..image_files import read_image
from .fields import require


@TRANSFORMS.register_module()
class KeepReference(BaseTransform):
    """``img`` -> ``ref_imgs``: a copy of the image at this place.

    The model learns to generate variations of the reference. Later transforms
    change the image, but not the reference.

    Args:
        size: Side of the square that is cut out, pixels: the input size of
            ``ImageEncoder``, which would cut out the same. This saves memory
            only; any other size blurs the encoder's input.
    """

    def __init__(self, size: int = 224) -> None:
        check_count(f'{type(self).__name__}.size', size)
        self.size = size

    def transform(self, results: dict) -> dict:
        """Keep a copy of the image."""
        image = clip_crop(self.image(results), self.size)
        results['ref_imgs'] = [image]
        return results

    def image(self, results: dict) -> np.ndarray:
        """The reference, uint8 RGB (H, W, 3)."""
        return results['img']


@TRANSFORMS.register_module()
class LoadReference(KeepReference):
    """``ref_path`` -> ``ref_imgs``, another image than ``img``.

    Args:
        size: See :class:`KeepReference`.
    """

    def image(self, results: dict) -> np.ndarray:
        """Read the reference, uint8 RGB (H, W, 3).

        Raises:
            ValueError: If it cannot be read.
        """
        path = require(results, 'ref_path', self)
        return read_image(path, what='reference')
