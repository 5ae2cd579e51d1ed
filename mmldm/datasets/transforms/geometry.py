"""Resizing, cropping and flipping."""

import math
import operator
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_choice, check_range, check_share
from mmldm.utils.image_size import Size, check_size, height_and_width
from mmldm.utils.pixels import bicubic

from . import spatial

RESAMPLE = {
    'area': spatial.area,
    'opencv_area': spatial.opencv_area,
    'bilinear': spatial.bilinear,
    'bicubic': bicubic,
}


@TRANSFORMS.register_module()
class ResizeShorterSide(BaseTransform):
    """Scale so that the shorter side has a given length.

    Args:
        size: Length, pixels, or height and width that the scaled image just
            covers. None takes the data set's ``size``.
        method: Resampling of the image: 'area' averages areas when
            shrinking, which does not alias, and interpolates bicubically
            when growing; 'opencv_area' is OpenCV's, which uses areas for
            growing too; 'bilinear' is OpenCV's, which aliases; 'bicubic' is
            Pillow's, which does not. Maps take the nearest pixel.
        ratio: Factor of the length, at least 1: 1.5 leaves a crop of the data
            set's ``size`` two thirds of the shorter side.
    """

    def __init__(
        self,
        size: Size | None = None,
        method: str = 'area',
        ratio: float = 1.0,
    ) -> None:
        check_choice('ResizeShorterSide.method', method, RESAMPLE)
        self.size = _checked(self, size)
        self.resample = RESAMPLE[method]
        check_range('ResizeShorterSide.ratio', ratio, 1, math.inf)
        self.ratio = ratio

    def transform(self, results: dict) -> dict:
        """Scale the image and its maps."""
        size = [round(side * self.ratio) for side in _size(self, results)]
        sides = results['img'].shape[:2]
        scale = max(map(operator.truediv, size, sides))
        shape = [
            max(least, round(side * scale))
            for least, side in zip(size, sides, strict=True)
        ]
        spatial.resize(results, *shape, self.resample)
        return results


@TRANSFORMS.register_module()
class RandomDownscale(BaseTransform):
    """Shrink by a random factor, with area averaging.

    Args:
        min_scale: Least factor, in (0, 1); the largest is 1. No side becomes
            shorter than the data set's ``size``.
    """

    def __init__(self, min_scale: float) -> None:
        if not 0 < min_scale < 1:
            raise ValueError(
                f'RandomDownscale.min_scale={min_scale} must be in (0, 1)'
            )
        self.min_scale = min_scale

    def transform(self, results: dict) -> dict:
        """Scale the image and its maps."""
        leasts = height_and_width(results.get('size') or 1)
        scale = np.random.uniform(self.min_scale, 1)
        shape = [
            max(least, round(side * scale))
            for least, side in zip(
                leasts, results['img'].shape[:2], strict=True
            )
        ]
        spatial.resize(results, *shape, spatial.area)
        return results


@TRANSFORMS.register_module()
class Crop(BaseTransform):
    """Cut out a square, or a rectangle.

    Args:
        size: Side of a square, or height and width, pixels; None takes the
            data set's ``size``.
        random: Cut anywhere; False cuts in the centre.
    """

    def __init__(self, size: Size | None = None, *, random: bool) -> None:
        self.size = _checked(self, size)
        self.random = random

    def transform(self, results: dict) -> dict:
        """Cut the image and its maps.

        Raises:
            ValueError: If the image is smaller than the crop.
        """
        size = _size(self, results)
        height, width = results['img'].shape[:2]
        if height < size[0] or width < size[1]:
            raise ValueError(
                f'{results.get("img_path", "an image")} of {width}x{height} '
                f'pixels is smaller than the crop of {size[1]}x{size[0]}: put '
                "dict(type='ResizeShorterSide') before Crop"
            )
        return _cut(results, size, self.random)


@TRANSFORMS.register_module()
class CropPart(BaseTransform):
    """Cut out a part with the proportions of the data set's ``size``.

    It is a square if there is no size.

    Args:
        min_part: Least part of the largest such window, by its sides, in
            (0, 1].
        max_part: Largest part; the part is uniform between the two.
        random: Cut anywhere; False cuts in the centre.
    """

    def __init__(
        self, min_part: float = 1.0, max_part: float = 1.0, *, random: bool
    ) -> None:
        check_share('CropPart.max_part', max_part)
        check_share('CropPart.min_part', min_part, max_part)
        self.parts = min_part, max_part
        self.random = random

    def transform(self, results: dict) -> dict:
        """Cut the image and its maps."""
        h, w = height_and_width(results.get('size') or 1)
        height, width = results['img'].shape[:2]
        largest = min(height, width * h / w), min(width, height * w / h)
        part = np.random.uniform(*self.parts)
        size = [max(1, int(side * part)) for side in largest]
        return _cut(results, size, self.random)


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Mirror the image and its annotations left to right, at random.

    Args:
        prob: Probability of mirroring, in [0, 1].
    """

    def __init__(self, prob: float = 0.5) -> None:
        check_range('RandomFlip.prob', prob, 0, 1)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Mirror with probability ``prob``."""
        if np.random.rand() < self.prob:
            spatial.mirror(results)
        return results


def _cut(results: dict, size: Sequence[int], random: bool) -> dict:
    """Cut a window out of the image, anywhere or in the centre."""
    rooms = map(operator.sub, results['img'].shape[:2], size)
    offsets = [
        np.random.randint(room + 1) if random else room // 2 for room in rooms
    ]
    spatial.crop(results, *offsets, *size)
    return results


def _checked(owner: BaseTransform, size: Size | None) -> Size | None:
    """Return the size if it is valid or None, else raise."""
    if size is not None:
        check_size(f'{type(owner).__name__}.size', size)
    return size


def _size(transform: BaseTransform, results: dict) -> tuple[int, int]:
    """Height and width from the transform, or from its data set.

    Raises:
        ValueError: If neither has one.
    """
    size = transform.size or results.get('size')
    if size is None:
        raise ValueError(
            f'{type(transform).__name__}.size is missing, and the data set '
            'has no size: set train_dataloader.dataset.size'
        )
    return height_and_width(size)
