"""Draw the sizes that the images of a folder take.

Usage: python docs/pictures/buckets.py data/images --out buckets.png

A row has the images of one size. What is cut away from them is pale.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use('agg')

import numpy as np  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402

DPI = 100
NAME, GAP = 110, 6  # pixels for the name of a row, and between images
PALE = 0.25  # how much of the colours outside of a crop is left


def whole_image(entry: dict, zoom: float) -> np.ndarray:
    """An image, scaled to cover its size, pale where a crop cuts it."""
    from mmldm.datasets.image_files import read_image
    from mmldm.datasets.transforms.spatial import area

    image = read_image(entry['img_path'])
    size = [round(side * zoom) for side in entry['size']]
    scale = max(s / side for s, side in zip(size, image.shape, strict=False))
    height, width = (round(side * scale) for side in image.shape[:2])
    image = area(image, height, width)
    pale = (255 - PALE * (255.0 - image)).astype(np.uint8)
    rows, columns = (
        slice((room - side) // 2, (room - side) // 2 + side)
        for room, side in zip((height, width), size, strict=True)
    )
    pale[rows, columns] = image[rows, columns]
    return pale


def draw(rows: dict[str, list[np.ndarray]], path: Path) -> None:
    """Write the rows with their names as a picture."""
    heights = [max(map(len, row)) for row in rows.values()]
    height = sum(heights) + GAP * (len(rows) + 1)
    width = NAME + max(
        sum(image.shape[1] + GAP for image in row) for row in rows.values()
    )
    figure = plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.patch.set_facecolor('white')
    top = GAP
    for (name, row), tall in zip(rows.items(), heights, strict=True):
        middle = 1 - (top + tall / 2) / height
        figure.text(NAME / 2 / width, middle, name, ha='center', va='center')
        left = NAME
        for image in row:
            high, wide = image.shape[:2]
            below = height - top - (tall + high) // 2
            figure.figimage(image, left, below)
            left += wide + GAP
        top += tall + GAP
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', help='folder of the images')
    parser.add_argument('--out', type=Path, required=True, help='PNG to write')
    parser.add_argument('--size', type=int, default=256, help='as in training')
    parser.add_argument('--step', type=int, default=32, help='of the sizes')
    parser.add_argument('--zoom', type=float, default=0.35)
    parser.add_argument('--most', type=int, default=7, help='images of a row')
    args = parser.parse_args()
    from mmldm.datasets import AspectBuckets, ImageFolder

    dataset = ImageFolder(
        args.folder, [], size=args.size, buckets=AspectBuckets(args.step)
    )
    rows = {}
    for h, w, count in dataset.size_counts():
        found = np.flatnonzero(
            dataset.size_groups() == dataset.sizes.index((h, w))
        )
        name = f'{h} x {w}\n{count} image{"s" if count > 1 else ""}'
        rows[name] = [
            whole_image(dataset.get_data_info(int(i)), args.zoom)
            for i in found[: args.most]
        ]
    draw(rows, args.out)


if __name__ == '__main__':
    main()
