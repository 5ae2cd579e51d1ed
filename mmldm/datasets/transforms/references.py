"""Images that the image shall be like."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_count
from mmldm.utils.pixels import clip_crop

from ..image_files import read_image
from .fields import require


@TRANSFORMS.register_module()
class KeepReference(BaseTransform):
    """``img`` -> ``ref_imgs``: the image as it is here in the pipeline.

    Of it, or of what becomes of it, variations are drawn.

    Args:
        size: Side of the square that ``ImageEncoder`` sees, which is cut out
            as it does: less to carry to it, and nothing else. Other sizes
            than its own blur what it sees.
    """

    def __init__(self, size: int = 224) -> None:
        check_count(f'{type(self).__name__}.size', size)
        self.size = size

    def transform(self, results: dict) -> dict:
        """Keep a copy."""
        image = clip_crop(self.image(results), self.size)
        results['ref_imgs'] = [image]
        return results

    def image(self, results: dict) -> np.ndarray:
        """uint8 RGB (H, W, 3)."""
        return results['img']


@TRANSFORMS.register_module()
class LoadReference(KeepReference):
    """``ref_path`` -> ``ref_imgs``, another image than ``img``.

    Args:
        size: See :class:`KeepReference`.
    """

    def image(self, results: dict) -> np.ndarray:
        """Of the file.

        Raises:
            ValueError: If it cannot be read.
        """
        path = require(results, 'ref_path', self)
        return read_image(path, what='reference')
