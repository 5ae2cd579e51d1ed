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
        size: Length, pixels; None takes the dataset's ``size``.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = _checked(self, size)

    def transform(self, results: dict) -> dict:
        """Scale."""
        size = _size(self, results)
        height, width = results['img'].shape[:2]
        scale = size / min(height, width)
        shape = (
            max(size, round(width * scale)),
            max(size, round(height * scale)),
        )
        results['img'] = cv2.resize(
            results['img'],
            shape,
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
        )
        return results


@TRANSFORMS.register_module()
class RandomShrink(BaseTransform):
    """Scale ``img`` by a random factor, by area.

    Args:
        min_scale: Least factor, in (0, 1); the largest is 1. No side gets
            shorter than the dataset's ``size``.
    """

    def __init__(self, min_scale: float) -> None:
        if not 0 < min_scale < 1:
            raise ValueError(
                f'RandomShrink.min_scale={min_scale} must be in (0, 1)'
            )
        self.min_scale = min_scale

    def transform(self, results: dict) -> dict:
        """Scale."""
        height, width = results['img'].shape[:2]
        least = results.get('size') or 1
        scale = np.random.uniform(self.min_scale, 1)
        shape = (
            max(least, round(width * scale)),
            max(least, round(height * scale)),
        )
        results['img'] = cv2.resize(
            results['img'], shape, interpolation=cv2.INTER_AREA
        )
        return results


@TRANSFORMS.register_module()
class Crop(BaseTransform):
    """Cut a square out of ``img``.

    Args:
        size: Its side, pixels; None takes the dataset's ``size``.
        random: Anywhere, or in the centre.
    """

    def __init__(self, size: int | None = None, *, random: bool) -> None:
        self.size = _checked(self, size)
        self.random = random

    def transform(self, results: dict) -> dict:
        """Cut.

        Raises:
            ValueError: If the image is smaller.
        """
        size = _size(self, results)
        height, width = results['img'].shape[:2]
        if min(height, width) < size:
            raise ValueError(
                f'{results.get("img_path", "an image")} of {width}x{height} '
                f'pixels is smaller than the crop of {size}: put '
                "dict(type='ResizeShorterSide') before Crop"
            )
        top, left = (self._offset(side - size) for side in (height, width))
        results['img'] = results['img'][top : top + size, left : left + size]
        return results

    def _offset(self, room: int) -> int:
        return np.random.randint(room + 1) if self.random else room // 2


def _checked(owner: BaseTransform, size: int | None) -> int | None:
    """The size, refused unless it is positive or left open."""
    if size is not None:
        check_positive(f'{type(owner).__name__}.size', size)
    return size


def _size(transform: BaseTransform, results: dict) -> int:
    """The size of a transform, else of its dataset.

    Raises:
        ValueError: If neither has one.
    """
    size = transform.size or results.get('size')
    if size is None:
        raise ValueError(
            f'{type(transform).__name__} has no size, nor has '
            'the dataset: set train_dataloader.dataset.size'
        )
    return size
