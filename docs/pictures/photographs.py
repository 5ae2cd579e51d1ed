"""Write a folder of photographs that needs no download.

Usage: python docs/pictures/photographs.py data/images

The photographs come with scikit-learn and scikit-image. Each is cut into
squares of 128 pixels, which makes a folder to try the tools with.
"""

import argparse
from pathlib import Path

from PIL import Image

SIDE = 128


def main() -> None:
    """Write the squares of every photograph, as JPEG files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder to write to')
    folder = parser.parse_args().folder
    from mmldm.toy_data.photographs import (
        FROM_SKIMAGE,
        FROM_SKLEARN,
        cut_into_tiles,
        read_photograph,
    )

    count = 0
    for name in (*FROM_SKLEARN, *FROM_SKIMAGE):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for photograph in read_photograph(name):
            for tile in cut_into_tiles(photograph, SIDE):
                path = folder / name / f'{count:03}.jpg'
                Image.fromarray(tile).save(path, quality=95)
                count += 1
    print(f'{count} images in {folder}')


if __name__ == '__main__':
    main()
