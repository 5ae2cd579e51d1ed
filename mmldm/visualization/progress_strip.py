"""A picture of the same samples at several iterations of a training."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from mmldm.utils.pixels import bicubic
from mmldm.utils.whole_files import replaced

from .conditions import font
from .grid import GAP, assemble

# Pixels of a tile's sides; smaller images are enlarged, larger ones reduced.
LEAST, MOST = 64, 128
HEADER = 20  # pixels
# Key of the text in the file that says what the picture shows.
KEY = 'mmldm:progress'


@dataclass
class ProgressStrip:
    """Rows of requests, and columns of iterations.

    The file can be read again, so that a resumed training continues it.

    Args:
        conditions: A tile for each row, uint8 RGB (h, w, 3), that shows what
            is asked for; empty if nothing is.
        columns: The tiles of each iteration, of the same size.
    """

    conditions: list[np.ndarray]
    columns: dict[int, list[np.ndarray]] = field(default_factory=dict)

    def add(
        self, iteration: int, tiles: list[np.ndarray], most: int
    ) -> 'ProgressStrip':
        """A strip with another column, and at most ``most`` of them."""
        columns = {**self.columns, iteration: tiles}
        kept = sorted(columns)
        if len(kept) > 2:
            kept = thinned(kept, most)
        return ProgressStrip(self.conditions, {i: columns[i] for i in kept})

    def continues(self, other: 'ProgressStrip') -> bool:
        """Whether columns of another strip have the same rows and size."""
        return self._rows() == other._rows()

    def _rows(self) -> tuple:
        tiles = next(iter(self.columns.values()), [])
        shapes = [tile.shape for tile in tiles]
        return shapes, [tile.tobytes() for tile in self.conditions]

    def picture(self) -> np.ndarray:
        """uint8 RGB (H, W, 3), with the iterations above the columns."""
        columns = [*self.columns.values()]
        if self.conditions:
            columns.insert(0, self.conditions)
        tiles = assemble([*zip(*columns, strict=True)])
        image = Image.new('RGB', (tiles.shape[1], HEADER), 'white')
        canvas, width = ImageDraw.Draw(image), columns[0][0].shape[1]
        for place, iteration in enumerate(self.columns, bool(self.conditions)):
            middle = GAP + place * (width + GAP) + width / 2
            text = (middle, HEADER / 2), f'{iteration:,}', 'black'
            canvas.text(*text, font=font(), anchor='mm')
        return np.concatenate([np.asarray(image), tiles])

    def write(self, path: Path) -> None:
        """Write the picture, whole or not at all."""
        picture, info = self.picture(), PngInfo()
        facts = dict(
            iterations=[*self.columns],
            conditions=bool(self.conditions),
            shape=next(iter(self.columns.values()))[0].shape[:2],
            pixels=zlib.crc32(picture.tobytes()),
        )
        info.add_text(KEY, json.dumps(facts))
        with replaced(path) as aside:
            Image.fromarray(picture).save(aside, 'PNG', pnginfo=info)


def read_strip(path: Path, until: int) -> ProgressStrip | None:
    """The strip of a file, without the columns after an iteration.

    Returns:
        None if there is no file, no such column, or the file was edited.
    """
    try:
        with Image.open(path) as image:
            facts = json.loads(image.text[KEY])
            picture = np.asarray(image.convert('RGB'))
        if zlib.crc32(picture.tobytes()) != facts['pixels']:
            return None
        height, width = facts['shape']
        columns = _cut(picture[HEADER:], height, width)
        conditions = columns.pop(0) if facts['conditions'] else []
        pairs = zip(facts['iterations'], columns, strict=True)
        kept = {i: tiles for i, tiles in pairs if i <= until}
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return ProgressStrip(conditions, kept) if kept else None


def _cut(picture: np.ndarray, h: int, w: int) -> list[list[np.ndarray]]:
    """The tiles of each column of an assembled picture."""
    tops = range(GAP, picture.shape[0], h + GAP)
    lefts = range(GAP, picture.shape[1], w + GAP)
    return [
        [picture[top : top + h, left : left + w] for top in tops]
        for left in lefts
    ]


def thinned(iterations: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of ascending iterations, at equal distances.

    The distance is that of the first two, or twice as much, and so on. The
    first and the last iteration always stay.
    """
    gap = iterations[1] - iterations[0]
    while True:
        kept = [iterations[0]]
        for iteration in iterations[1:-1]:
            if iteration - kept[-1] >= gap:
                kept.append(iteration)
        if len(kept) < most:
            return [*kept, iterations[-1]]
        gap *= 2


def tile_shape(height: int, width: int) -> tuple[int, int]:
    """The size in which a strip shows images, pixels."""
    if min(height, width) < LEAST:
        factor = -(-LEAST // min(height, width))
        height, width = factor * height, factor * width
    scale = min(1.0, MOST / max(height, width))
    return max(1, round(scale * height)), max(1, round(scale * width))


def as_tile(image: np.ndarray) -> np.ndarray:
    """An image, uint8 RGB (H, W, 3), in the size of its tile."""
    height, width = tile_shape(*image.shape[:2])
    rows, columns = height // image.shape[0], width // image.shape[1]
    if rows == columns > 0:  # pixels stay visible
        image = image.repeat(rows, axis=0).repeat(columns, axis=1)
    return bicubic(image, height, width)
