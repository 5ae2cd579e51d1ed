"""Masks for inpainting: drawn, or read from files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_choice, check_share

from ..image_files import read_mask
from ..image_search import find_images
from ..report import DataReport
from .fields import require
from .spatial import check_size, nearest

# Lengths below are pixels of an image of this side, and scale with the image.
SIDE = 256
# All lengths and widths are whole numbers, as in LaMa's own generator.
LEAST_LENGTH, LEAST_WIDTH = 10, 5
MAX_LINES = 5
# A line's angle from the vertical is LEAST_ANGLE plus 0, 1, 2 or 3 radians.
LEAST_ANGLE, ANGLES = 0.01, 4
TRIES = 300


@dataclass(frozen=True)
class Strokes:
    """Polygonal chains of lines of random length, angle and width.

    Args:
        count: Least and largest number of chains.
        length: A line's length is in [LEAST_LENGTH, LEAST_LENGTH + length).
        width: A line's width is in [LEAST_WIDTH, LEAST_WIDTH + width).
    """

    count: tuple[int, int]
    length: int
    width: int

    def draw(self, mask: np.ndarray, scale: float) -> None:
        """Set the covered pixels to 1."""
        for number in range(_between(self.count)):
            # Every other chain runs to the left.
            side = 1 if number % 2 else -1
            self._draw_chain(mask, scale, side)

    def _draw_chain(self, mask: np.ndarray, scale: float, side: int) -> None:
        extents = np.array(mask.shape[::-1])
        start = np.random.randint(0, extents)
        for _ in range(np.random.randint(1, MAX_LINES + 1)):
            angle = side * (LEAST_ANGLE + np.random.randint(ANGLES))
            length = LEAST_LENGTH + np.random.randint(self.length)
            width = LEAST_WIDTH + np.random.randint(self.width)
            step = scale * length * np.array([np.sin(angle), np.cos(angle)])
            # A line may end just outside the image, as in LaMa.
            stop = (start + step).astype(int).clip(0, extents)
            cv2.line(
                mask,
                start.tolist(),
                stop.tolist(),
                color=1,
                thickness=max(1, round(scale * width)),
            )
            start = stop


@dataclass(frozen=True)
class Boxes:
    """Rectangles of random place and size.

    Args:
        count: Least and largest number of rectangles.
        side: Least and largest height and width, pixels of ``SIDE``.
        margin: Least distance to the image's edges, pixels of ``SIDE``.
    """

    count: tuple[int, int]
    side: tuple[int, int]
    margin: int

    def draw(self, mask: np.ndarray, scale: float) -> None:
        """Set the covered pixels to 1."""
        margin = round(scale * self.margin)
        for _ in range(_between(self.count)):
            window = tuple(
                self._span(extent, margin, scale) for extent in mask.shape
            )
            mask[window] = 1

    def _span(self, extent: int, margin: int, scale: float) -> slice:
        """A random range of rows or columns."""
        room = max(1, extent - 2 * margin)
        size = round(scale * _between(self.side))
        size = min(max(1, size), room)
        start = margin + np.random.randint(room - size + 1)
        return slice(start, start + size)


def _between(ends: tuple[int, int]) -> int:
    return np.random.randint(ends[0], ends[1] + 1)


# (weight, kind of hole): LaMa's test sets (for 256x256), the rectangles of
# its training, and its training as a whole. LaMa's generator draws one chain
# more than its settings state: their ``max_times`` are 50, 5, 5.
PRESETS = {
    'thin': [(1, Strokes((4, 51), length=40, width=10))],
    'medium': [
        (1, Strokes((4, 6), length=100, width=50)),
        (0.3, Boxes((1, 5), side=(10, 50), margin=0)),
    ],
    'thick': [
        (1, Strokes((1, 6), length=200, width=100)),
        (0.3, Boxes((1, 3), side=(30, 150), margin=10)),
    ],
    'boxes': [(1, Boxes((1, 4), side=(30, 150), margin=10))],
    'training': [
        (1, Strokes((1, 6), length=200, width=100)),
        (1, Boxes((1, 4), side=(30, 150), margin=10)),
    ],
}


@TRANSFORMS.register_module()
class RandomMask(BaseTransform):
    """Draw a random hole: ``mask``, uint8 (H, W), 1 in the hole.

    The holes are those of Suvorov et al. 2022 (arXiv:2109.07161), section 3.4,
    which Rombach et al. 2022, app. D.6.2, use. This transform comes after all
    that resize, crop or flip.

    Args:
        presets: Kinds of holes to choose from at random: 'thin', 'medium'
            and 'thick' strokes as in LaMa's tests, the latter two sometimes
            replaced by boxes; 'boxes'; 'training', which is thick strokes or
            boxes with equal probability.
        max_share: Largest share of the image for a hole, in (0, 1]; larger
            holes are drawn again. A hole is never empty.
    """

    def __init__(
        self,
        presets: Sequence[str] = ('thin', 'medium', 'thick'),
        max_share: float = 0.5,
    ) -> None:
        if not presets:
            raise ValueError(
                'RandomMask.presets is empty: give some of '
                f'{", ".join(PRESETS)}'
            )
        for name in presets:
            check_choice('RandomMask.presets', name, PRESETS)
        check_share('RandomMask.max_share', max_share)
        self.presets = tuple(presets)
        self.max_share = max_share

    def transform(self, results: dict) -> dict:
        """Draw a hole.

        Raises:
            ValueError: If the image is too small for a hole.
        """
        name = self.presets[np.random.randint(len(self.presets))]
        shape = results['img'].shape[:2]
        for _ in range(TRIES):
            mask = _draw(name, shape)
            if mask.mean() <= self.max_share and not mask.all():
                results['mask'] = mask
                return results
        raise ValueError(
            f'no hole of preset {name!r} is at most {self.max_share:g} of an '
            f'image of {shape[0]}x{shape[1]}: raise RandomMask.max_share, or '
            'use larger images'
        )


def _draw(name: str, shape: tuple[int, int]) -> np.ndarray:
    """A hole of the named preset, never empty, uint8 (H, W)."""
    weights, kinds = zip(*PRESETS[name], strict=True)
    parts = np.array(weights) / sum(weights)
    kind = kinds[np.random.choice(len(kinds), p=parts)]
    mask = np.zeros(shape, np.uint8)
    kind.draw(mask, min(shape) / SIDE)
    return mask


@TRANSFORMS.register_module()
class LoadMask(BaseTransform):
    """Read a hole from a file: ``mask``, uint8 (H, W), 1 in the hole.

    Grey counts as white above 127, and transparent pixels count as black.

    Args:
        folder: Folder of masks. One is chosen at random and scaled to the
            image; put the transform after all that resize, crop or flip.
            None reads the data set's ``mask_path``, which must have the
            image's size; put the transform directly after ``LoadImage``.
        hole: Colour of the hole in the files: 'white' or 'black'.
    """

    def __init__(self, folder: str | None = None, hole: str = 'white') -> None:
        check_choice('LoadMask.hole', hole, ('white', 'black'))
        self.hole = hole
        self.paths = None
        if folder is not None:
            if not Path(folder).is_dir():
                raise FileNotFoundError(
                    f'LoadMask.folder={folder!r} is not a folder: give the '
                    'folder of the masks'
                )
            self.paths = _sound_masks(folder)

    def transform(self, results: dict) -> dict:
        """Read the mask.

        Raises:
            ValueError: If the file cannot be read, has another size or no
                hole; it is named.
        """
        if self.paths is None:
            path = require(results, 'mask_path', self)
            mask = self._read(path)
            check_size(mask, results, f'mask {path}')
        else:
            path = self.paths[np.random.randint(len(self.paths))]
            mask = nearest(self._read(path), *results['img'].shape[:2])
        results['mask'] = mask
        return results

    def _read(self, path: str) -> np.ndarray:
        """The mask of a file, 1 in the hole."""
        # This report is dropped: grey was counted before.
        mask = read_mask(path, DataReport('LoadMask'))
        return mask if self.hole == 'white' else 1 - mask


def _sound_masks(folder: str) -> list[str]:
    """Paths of the usable masks in a folder; the others are counted.

    Raises:
        ValueError: If there are no usable masks.
    """
    report = DataReport('LoadMask')
    where = f'LoadMask.folder={folder!r}'
    paths = []
    for path in find_images(folder, where, report):
        try:
            read_mask(path, report)
            paths.append(path)
        except (OSError, ValueError) as error:
            report.defect('masks cannot be used and are left out', str(error))
    if not paths:
        raise ValueError(f'{where} has no usable masks{report.reasons()}')
    report.tell()
    return paths
