"""From images of any size to one size."""

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
        size: Length, pixels; or height and width that the image is to cover,
            neither more than it must. None takes the dataset's ``size``.
        method: Of the image: 'area', means of areas where it shrinks, which
            does not alias, and bicubic interpolation where it grows;
            'opencv_area', OpenCV's, which grows by area too; 'bilinear',
            OpenCV's, which aliases; 'bicubic', Pillow's, which does not. Maps
            of pixels take the nearest.
    """

    def __init__(self, size: Size | None = None, method: str = 'area') -> None:
        check_choice('ResizeShorterSide.method', method, RESAMPLE)
        self.size = _checked(self, size)
        self.resample = RESAMPLE[method]

    def transform(self, results: dict) -> dict:
        """Scale."""
        size = _size(self, results)
        sides = results['img'].shape[:2]
        scale = max(map(operator.truediv, size, sides))
        shape = [
            max(least, round(side * scale))
            for least, side in zip(size, sides, strict=True)
        ]
        spatial.resize(results, *shape, self.resample)
        return results


@TRANSFORMS.register_module()
class RandomShrink(BaseTransform):
    """Scale by a random factor, by area.

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
            dataset's ``size``.
        random: Anywhere, or in the centre.
    """

    def __init__(self, size: Size | None = None, *, random: bool) -> None:
        self.size = _checked(self, size)
        self.random = random

    def transform(self, results: dict) -> dict:
        """Cut.

        Raises:
            ValueError: If the image is smaller.
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
    """Cut out a square whose side is a part of the image's shorter one.

    Args:
        min_part: Least part, in (0, 1].
        max_part: Largest; what is between is equally likely.
        random: Anywhere, or in the centre.
    """

    def __init__(
        self, min_part: float = 1.0, max_part: float = 1.0, *, random: bool
    ) -> None:
        check_share('CropPart.max_part', max_part)
        check_share('CropPart.min_part', min_part, max_part)
        self.parts = min_part, max_part
        self.random = random

    def transform(self, results: dict) -> dict:
        """Cut."""
        shorter = min(results['img'].shape[:2])
        size = max(1, int(shorter * np.random.uniform(*self.parts)))
        return _cut(results, (size, size), self.random)


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Turn left and right at random, and all that lies on the image.

    Args:
        prob: How often.
    """

    def __init__(self, prob: float = 0.5) -> None:
        check_range('RandomFlip.prob', prob, 0, 1)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Turn, or not."""
        if np.random.rand() < self.prob:
            spatial.mirror(results)
        return results


def _cut(results: dict, size: Sequence[int], random: bool) -> dict:
    """Of an image that is at least as large, anywhere or in the centre."""
    rooms = map(operator.sub, results['img'].shape[:2], size)
    offsets = [
        np.random.randint(room + 1) if random else room // 2 for room in rooms
    ]
    spatial.crop(results, *offsets, *size)
    return results


def _checked(owner: BaseTransform, size: Size | None) -> Size | None:
    """The size, refused unless it is one or left open."""
    if size is not None:
        check_size(f'{type(owner).__name__}.size', size)
    return size


def _size(transform: BaseTransform, results: dict) -> tuple[int, int]:
    """Height and width of a transform, else of its dataset.

    Raises:
        ValueError: If neither has one.
    """
    size = transform.size or results.get('size')
    if size is None:
        raise ValueError(
            f'{type(transform).__name__} has no size, nor has '
            'the dataset: set train_dataloader.dataset.size'
        )
    return height_and_width(size)
