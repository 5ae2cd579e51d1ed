"""Geometric changes of an image together with its annotations.

These entries of a pipeline's results change together: ``img`` (H, W, C), the
maps ``gt_sem_seg`` and ``mask`` (H, W), the maps that ``extra_maps`` names,
(H, W) or (H, W, C), and ``crop_box``, the part (x, y, w, h) of the full
picture that the image shows. The boxes of ``layout`` are relative to the full
picture too, as layout-to-image models learn them: a crop does not change
them, but drops boxes that it does not show.
"""

from collections.abc import Callable
from itertools import product
from math import gcd, prod

import cv2
import numpy as np

from mmldm.utils.boxes import WHOLE, Box, shown_part

Resample = Callable[[np.ndarray, int, int], np.ndarray]

# With more pieces, OpenCV's own average is as fast.
MOST_PIECES = 16

MAPS = ('gt_sem_seg', 'mask')


def resize(results: dict, height: int, width: int, resample: Resample) -> None:
    """Scale image and maps; boxes, which are relative, do not change.

    Args:
        results: The pipeline's results, changed in place.
        height: New height, pixels.
        width: New width, pixels.
        resample: Resampling of the image; maps take the nearest pixel.
    """
    for name in _checked_maps(results):
        results[name] = nearest(results[name], height, width)
    results['img'] = resample(results['img'], height, width)


def crop(results: dict, top: int, left: int, height: int, width: int) -> None:
    """Cut out a window.

    Boxes outside the window are dropped; the others are not cut.

    Args:
        results: The pipeline's results, changed in place.
        top: First row, pixels.
        left: First column, pixels.
        height: Height of the window, which is inside the image.
        width: Width of the window.
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
    """Mirror image, maps, boxes and full picture left to right."""
    for name in _checked_maps(results):
        results[name] = results[name][:, ::-1]
    results['img'] = cv2.flip(results['img'], 1)  # unlike a view, contiguous
    if 'layout' in results:
        results['layout'] = [(c, _turned(box)) for c, box in results['layout']]
    if 'crop_box' in results:
        results['crop_box'] = _turned(results['crop_box'])


def _turned(box: Box) -> Box:
    x, y, width, height = box
    return max(0.0, 1 - x - width), y, width, height


def maps_of(results: dict) -> list[str]:
    """Names of the maps in ``results``, with those in ``extra_maps``."""
    known = [name for name in MAPS if name in results]
    return [*known, *results.get('extra_maps', ())]


def _checked_maps(results: dict) -> list[str]:
    """Names of the maps in ``results``, after a check.

    Raises:
        ValueError: If a map differs from the image in size, or ``img_lq``
            exists, which would not change with the image.
    """
    names = maps_of(results)
    for name in names:
        check_size(results[name], results, name)
    if 'img_lq' in results:
        raise ValueError(
            'img_lq would not change with the image: put the degradation '
            'after all transforms that resize, crop or flip'
        )
    return names


def check_size(values: np.ndarray, results: dict, what: str) -> None:
    """Raise unless a map (H, W) has the size of its image."""
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
    """Resize: each new pixel takes the old pixel under its centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip((height, width), values.shape[:2], strict=True)
    )
    return values[rows[:, None], columns]


def area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize: average areas to shrink, which avoids aliasing, else bicubic."""
    rows, columns = image.shape[:2]
    if height < rows:
        pieces = _pieces(rows, height), _pieces(columns, width)
        if image.dtype == np.uint8 and 0 < prod(pieces) <= MOST_PIECES:
            return _halves(image, height, width, *pieces)
        return opencv_area(image, height, width)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


def _pieces(old: int, new: int) -> int:
    """Into how many pieces :func:`_halves` cuts a side; 0 if it cannot."""
    return gcd(old, 2 * new) if new < old < 2 * new else 0


def _halves(
    image: np.ndarray, height: int, width: int, rows: int, columns: int
) -> np.ndarray:
    """Average areas as OpenCV does, up to one grey level, in half the time.

    Along each side, half a new pixel covers two old ones at most. OpenCV is
    fast in the average of these, and in that of four halves. But where edges
    of both grids meet within an image, it may read a pixel beside the right
    one; it gets the pieces between such edges, one by one.

    Args:
        image: uint8 (H, W, C), less than twice as large as the new one.
        height: New height, pixels.
        width: New width, pixels.
        rows: Number of pieces from top to bottom.
        columns: Number of pieces from left to right.
    """
    halves = np.empty((2 * height, 2 * width, *image.shape[2:]), np.uint8)
    sizes = [
        (old.shape[0] // rows, old.shape[1] // columns)
        for old in (image, halves)
    ]
    for place in product(range(rows), range(columns)):
        old, new = (
            _piece(whole, place, size)
            for whole, size in zip((image, halves), sizes, strict=True)
        )
        cv2.resize(old, new.shape[1::-1], new, interpolation=cv2.INTER_AREA)
    return opencv_area(halves, height, width)


def _piece(
    whole: np.ndarray, place: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """One of the pieces of equal size, (h, w, C)."""
    (row, column), (h, w) = place, size
    return whole[row * h : (row + 1) * h, column * w : (column + 1) * w]


def opencv_area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by area averaging, for growing too."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize from the four nearest pixels; shrinking aliases."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
