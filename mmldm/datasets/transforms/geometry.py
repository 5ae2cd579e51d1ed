"""From images of any size to one size."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_positive


@TRANSFORMS.register_module()
class ResizeShorterSide(BaseTransform):
    """Scale ``img`` so that its shorter side has a given length.

    By area where it shrinks, which does not alias, by bicubic interpolation
    where it grows.

    Args:
        size: Length, pixels.
    """

    def __init__(self, size: int) -> None:
        check_positive('ResizeShorterSide.size', size)
        self.size = size

    def transform(self, results: dict) -> dict:
        """Scale."""
        height, width = results['img'].shape[:2]
        scale = self.size / min(height, width)
        shape = (max(self.size, round(width * scale)),
                 max(self.size, round(height * scale)))
        results['img'] = cv2.resize(
            results['img'],
            shape,
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        return results


@TRANSFORMS.register_module()
class Crop(BaseTransform):
    """Cut a square out of ``img``.

    Args:
        size: Its side, pixels.
        random: Anywhere, or in the centre.
    """

    def __init__(self, size: int, random: bool) -> None:
        check_positive('Crop.size', size)
        self.size = size
        self.random = random

    def transform(self, results: dict) -> dict:
        """Cut.

        Raises:
            ValueError: If the image is smaller.
        """
        height, width = results['img'].shape[:2]
        if min(height, width) < self.size:
            raise ValueError(
                f'{results.get("img_path", "an image")} of {width}x{height} '
                f'pixels is smaller than the crop of {self.size}: put '
                "dict(type='ResizeShorterSide', size=...) before Crop")
        top, left = (self._offset(side) for side in (height, width))
        results['img'] = results['img'][top:top + self.size,
                                        left:left + self.size]
        return results

    def _offset(self, side: int) -> int:
        room = side - self.size
        return np.random.randint(room + 1) if self.random else room // 2
