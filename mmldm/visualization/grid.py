"""Many images as one picture."""

from collections.abc import Sequence

import numpy as np

GAP = 2  # white pixels between images


def sample_grid(
    pairs: Sequence[Sequence[np.ndarray]], labels: Sequence[int | None]
) -> np.ndarray:
    """A grid of samples, uint8 RGB (H, W, 3).

    Args:
        pairs: For each sample its images, uint8 RGB (h, w, 3), which are set
            below each other: an original and its reconstruction, or a
            generated image alone.
        labels: Classes. Generated images with classes get a row a class, in
            their order; others fill a square.
    """
    generated = len(pairs[0]) == 1
    if generated and all(label is not None for label in labels):
        rows = [
            [
                pair[0]
                for pair, label in zip(pairs, labels, strict=True)
                if label == row
            ]
            for row in sorted(set(labels))
        ]
    else:
        columns = int(np.ceil(np.sqrt(len(pairs))))
        groups = [
            pairs[i : i + columns] for i in range(0, len(pairs), columns)
        ]
        rows = [
            [pair[k] for pair in group]
            for group in groups
            for k in range(len(pairs[0]))
        ]
    return _assemble(rows)


def _assemble(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Rows of images of one size, on white."""
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
