"""How an image moves, and all that lies on it.

Of a pipeline's results these move together: ``img`` (H, W, C), the maps
``gt_sem_seg`` and ``mask`` (H, W), those that ``extra_maps`` names, (H, W) or
(H, W, C), and ``crop_box``, the part (x, y, w, h) of the full picture that
the image shows. The boxes of ``layout`` are parts of the full picture too, as
layout-to-image models learn them: a crop leaves them as they are, and drops
those that it does not show.
"""

from collections.abc import Callable

import cv2
import numpy as np

from mmldm.utils.boxes import WHOLE, Box, shown_part

Resample = Callable[[np.ndarray, int, int], np.ndarray]

MAPS = ('gt_sem_seg', 'mask')


def resize(results: dict, height: int, width: int, resample: Resample) -> None:
    """Scale; boxes, being parts of the picture, stay.

    Args:
        results: Changed.
        height: Wanted, pixels.
        width: Wanted, pixels.
        resample: Of the pixels; maps take the nearest.
    """
    for name in _checked_maps(results):
        results[name] = nearest(results[name], height, width)
    results['img'] = resample(results['img'], height, width)


def crop(results: dict, top: int, left: int, height: int, width: int) -> None:
    """Cut out a window.

    Boxes that miss it are dropped; the others stay whole.

    Args:
        results: Changed.
        top: First row, pixels.
        left: First column, pixels.
        height: Of the window, which is within the image.
        width: Of the window.
    """
    rows, columns = results['img'].shape[:2]
    for name in ('img', *_checked_maps(results)):
        results[name] = results[name][top : top + height, left : left + width]
    x, y, full_width, full_height = results.get('crop_box', WHOLE)
    window = results['crop_box'] = (
        x + left / columns * full_width,
        y + top / rows * full_height,
        width / columns * full_width,
        height / rows * full_height,
    )
    if 'layout' in results:
        results['layout'] = [
            (label, box)
            for label, box in results['layout']
            if shown_part(box, window) is not None
        ]


def mirror(results: dict) -> None:
    """Turn left and right; the full picture is turned as well."""
    for name in ('img', *_checked_maps(results)):
        results[name] = results[name][:, ::-1]
    if 'layout' in results:
        results['layout'] = [(c, _turned(box)) for c, box in results['layout']]
    if 'crop_box' in results:
        results['crop_box'] = _turned(results['crop_box'])


def _turned(box: Box) -> Box:
    x, y, width, height = box
    return max(0.0, 1 - x - width), y, width, height


def maps_of(results: dict) -> list[str]:
    """Names of the maps that there are; own ones are in ``extra_maps``."""
    known = [name for name in MAPS if name in results]
    return [*known, *results.get('extra_maps', ())]


def _checked_maps(results: dict) -> list[str]:
    """Names of the maps that there are.

    Raises:
        ValueError: If one is not of the image's size, or an image of low
            resolution would be left behind.
    """
    names = maps_of(results)
    for name in names:
        check_size(results[name], results, name)
    if 'img_lq' in results:
        raise ValueError(
            'img_lq shows the image as it was before it is moved: put the '
            'degradation behind all that resizes, crops and flips'
        )
    return names


def check_size(values: np.ndarray, results: dict, what: str) -> None:
    """Raise unless a map (H, W) is as large as the image it is of."""
    sizes = [
        f'{rows}x{columns}'
        for rows, columns in (values.shape[:2], results['img'].shape[:2])
    ]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f'{what} is {sizes[0]}, its image '
            f'{results.get("img_path", "")} {sizes[1]}: give both one size'
        )


def nearest(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Of each new pixel the old one that holds its centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip((height, width), values.shape[:2], strict=True)
    )
    return values[rows[:, None], columns]


def area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means of areas, which do not alias; growing is bicubic."""
    if height < image.shape[0]:
        return opencv_area(image, height, width)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


def opencv_area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means of areas, also where it grows: new pixels lie across old ones."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Of the four nearest pixels, also where it shrinks: it aliases."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
