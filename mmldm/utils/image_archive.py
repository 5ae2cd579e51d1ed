"""Images in one file, in the form of OpenAI's evaluation of ADM."""

import zipfile
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from .whole_files import written_whole

# Names of the arrays: images, and labels if there are any.
IMAGES, LABELS = 'arr_0', 'arr_1'


def write_archive(
    path: str | Path,
    images: Iterable[np.ndarray],
    count: int,
    labels: Sequence[int] | None = None,
) -> None:
    """Write images to an ``.npz`` file, one at a time.

    Args:
        path: Path of the file; its folder is made.
        images: uint8 RGB (H, W, 3), all of one size.
        count: Their number, N.
        labels: Class of each image; None for none.

    Raises:
        ValueError: If sizes differ.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    images = iter(images)
    first = next(images)
    with written_whole(path) as file, zipfile.ZipFile(file, 'w') as archive:
        with archive.open(f'{IMAGES}.npy', 'w', force_zip64=True) as entry:
            _write_header(entry, (count, *first.shape))
            for image in chain([first], images):
                if image.shape != first.shape:
                    raise ValueError(
                        f'{path}: images of {first.shape[:2]} and '
                        f'{image.shape[:2]} pixels do not fit into one '
                        'array: omit --npz, or generate images of one size'
                    )
                entry.write(np.ascontiguousarray(image).tobytes())
        if labels is not None:
            with archive.open(f'{LABELS}.npy', 'w') as entry:
                np.lib.format.write_array(entry, np.array(labels, np.int64))


def _write_header(file, shape: tuple[int, ...]) -> None:
    """The beginning of an ``.npy`` file of uint8 values."""
    header = dict(descr='|u1', fortran_order=False, shape=shape)
    np.lib.format.write_array_header_1_0(file, header)
