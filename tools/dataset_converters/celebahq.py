"""Turn CelebA-HQ's arrays into PNG files.

    python tools/dataset_converters/celebahq.py ARRAYS --out data/celebahq

ARRAYS holds imgHQ00000.npy to imgHQ29999.npy, uint8 RGB (1, 3, 1024, 1024),
which the scripts of Karras et al. 2018 (arXiv:1710.10196) make from CelebA.
Images in JPEG or PNG, such as those of CelebAMask-HQ, need no conversion.
Existing files are skipped, and damaged ones are left out and counted.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from mmldm.apis import run_tool
from mmldm.utils.files import check_folder_to_write


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('arrays', help='folder with the .npy files')
    parser.add_argument(
        '--out', default='data/celebahq', help='folder (default: %(default)s)'
    )
    return parser.parse_args()


def convert(source: Path, target: Path) -> None:
    """Write one array as an image.

    Raises:
        ValueError: If the array is not an image.
    """
    if target.exists():
        return
    try:
        array = np.load(source, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f'{source} is not an array ({error}): make it again'
        ) from error
    pixels = array[0] if array.ndim == 4 and len(array) == 1 else array
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or len(pixels) != 3:
        raise ValueError(
            f'{source} is {array.dtype} of shape {array.shape}, expected '
            'uint8 RGB (1, 3, H, W)'
        )
    part = target.with_suffix('.part')
    Image.fromarray(pixels.transpose(1, 2, 0)).save(part, 'PNG')
    part.replace(target)


def converted(source: Path, target: Path) -> str | None:
    """Write one array as an image; return the error, or None."""
    try:
        convert(source, target)
    except (OSError, ValueError) as error:
        return str(error)
    return None


def main() -> None:
    """Convert all arrays."""
    args = parse_args()
    check_folder_to_write('--out', args.out)
    out = Path(args.out)
    sources = sorted(Path(args.arrays).glob('*.npy'))
    if not sources:
        raise FileNotFoundError(f'{args.arrays} has no .npy files')
    out.mkdir(parents=True, exist_ok=True)
    targets = [out / f'{source.stem}.png' for source in sources]
    from mmldm.datasets.report import DataReport

    report = DataReport('celebahq')
    with ThreadPoolExecutor() as pool:
        causes = pool.map(converted, sources, targets)
        for cause in tqdm(causes, total=len(sources)):
            if cause is not None:
                report.defect('arrays are left out', cause)
    written = sum(target.exists() for target in targets)
    if not written:
        raise ValueError(f'no image was written{report.reasons()}')
    report.tell()
    print(f'{written} images in {out}')


if __name__ == '__main__':
    run_tool(main)
