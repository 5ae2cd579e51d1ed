"""Rows of small images with a name beside each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use('agg')

import numpy as np  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402

DPI = 100
NAME = 260  # pixels for the name of a row
GAP = 3


def to_pixels(x) -> np.ndarray:
    """Images (B, 3, H, W) in [-1, 1] as uint8 (B, H, W, 3)."""
    x = (x.float() * 127.5 + 127.5).round().clamp(0, 255).byte()
    return x.permute(0, 2, 3, 1).cpu().numpy()


def draw_strips(
    rows: Mapping[str, Sequence[np.ndarray]],
    path: Path,
    columns: Sequence[str] = (),
    side: int = 64,
) -> None:
    """Write a picture with one row of images for each name.

    Args:
        rows: Images of every row, uint8 (H, W, 3), or floats (h, w) in
            [0, 1].
        path: PNG file to write.
        columns: Names above the columns.
        side: Height of an image in the picture, pixels.
    """
    top = 52 if columns else 0
    height = top + len(rows) * (side + GAP)
    width = NAME + max(map(len, rows.values())) * (side + GAP)
    figure = plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.patch.set_facecolor('white')

    def place(left: float, above: float, w: float, h: float) -> list[float]:
        below = height - above - h
        return [left / width, below / height, w / width, h / height]

    for r, (name, images) in enumerate(rows.items()):
        above = top + r * (side + GAP)
        figure.text(
            (NAME - 10) / width,
            1 - (above + side / 2) / height,
            name,
            ha='right',
            va='center',
            fontsize=11,
        )
        for c, image in enumerate(images):
            wide = side * image.shape[1] / image.shape[0]
            spot = place(NAME + c * (wide + GAP), above, wide, side)
            axes = figure.add_axes(spot)
            axes.imshow(
                image, cmap='gray', vmin=0, vmax=1, interpolation='nearest'
            )
            axes.axis('off')
            if r == 0 and columns:
                axes.set_title(columns[c], fontsize=9, pad=3)
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
