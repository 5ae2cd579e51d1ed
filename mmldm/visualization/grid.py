"""Many images as one picture."""

from collections.abc import Sequence

import numpy as np

GAP = 2  # white pixels between images
# Pixels a side of a picture of many images: 200 MB, which viewers still open.
LONGEST = 8192


def most_tiles(side: int) -> int:
    """Images of so many pixels that a grid has room for, beside each other."""
    return max(1, (LONGEST - GAP) // (side + GAP))


def sample_grid(
    pairs: Sequence[Sequence[np.ndarray]], labels: Sequence[int | None]
) -> np.ndarray:
    """A grid of samples, uint8 RGB (H, W, 3).

    Args:
        pairs: For each sample its images, uint8 RGB (h, w, 3), which are set
            right below each other: an original and its reconstruction, or a
            generated image alone.
        labels: Classes. Generated images with classes get a row a class, in
            their order; others fill a square.
    """
    tiles = [np.concatenate(pair) for pair in pairs]
    if len(pairs[0]) == 1 and None not in labels:
        rows = [
            [
                tile
                for tile, label in zip(tiles, labels, strict=True)
                if label == row
            ]
            for row in sorted(set(labels))
        ]
    else:
        columns = int(np.ceil(np.sqrt(len(tiles))))
        rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    return assemble(rows)


def assemble(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Rows of images on white, uint8 RGB (H, W, 3), all of one size."""
    height, width = rows[0][0].shape[:2]
    columns = max(map(len, rows))
    canvas = np.full(
        (len(rows) * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3),
        255,
        np.uint8,
    )
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            top, left = GAP + r * (height + GAP), GAP + c * (width + GAP)
            canvas[top : top + height, left : left + width] = image
    return canvas


def contact_sheet(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images of any sizes in rows, about a square, uint8 RGB (H, W, 3)."""
    height, width = (max(i.shape[k] for i in images) for k in (0, 1))
    columns = max(1, round((len(images) * height / width) ** 0.5))
    tiles = [_padded(image, height, width) for image in images]
    return assemble(
        [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    )


def _padded(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """With white to the right and below."""
    room = ((0, height - len(image)), (0, width - image.shape[1]), (0, 0))
    return np.pad(image, room, constant_values=255)
