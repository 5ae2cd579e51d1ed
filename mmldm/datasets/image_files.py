"""Finding and reading image files of any kind, as 8-bit BGR."""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from mmengine.logging import print_log
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')
# Of files whose damage can be found.
CHECKED = (*SUFFIXES, '.npy')

JPEG, JPEG_SCAN, JPEG_END = b'\xff\xd8\xff', b'\xff\xda', b'\xff\xd9'
# What the last bytes of a whole file hold; WebP states its length instead.
END_MARKS = {b'\x89PNG': b'IEND', JPEG: JPEG_END}
TAIL = 64


@contextmanager
def opened(
    path: str, what: str = 'image', content: bytes | None = None
) -> Iterator[Image.Image]:
    """A file while it is read.

    Args:
        path: Of the file, or what errors call it.
        what: It is, for errors.
        content: Of the file, where it is not on the disk by itself.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or no image; it is named.
    """
    try:
        source = path if content is None else BytesIO(content)
        with Image.open(source) as image:
            yield image
    except FileNotFoundError:
        raise
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ) as error:
        # Its own words name an object in memory where there is no file.
        unknown = isinstance(error, UnidentifiedImageError)
        raise ValueError(
            f'{what} {path} cannot be read '
            f'({"no image of a known kind" if unknown else error}): delete '
            'or replace it'
        ) from error


def read_image(
    path: str, content: bytes | None = None, what: str = 'image'
) -> np.ndarray:
    """uint8 BGR, (H, W, 3).

    Turned as its EXIF data says, grey repeated, 16 bits brought to 8, and
    what is transparent laid on white.

    Args:
        path: See :func:`opened`.
        content: See :func:`opened`.
        what: See :func:`opened`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or no image; it is named.
    """
    with opened(path, what, content) as image:
        image = ImageOps.exif_transpose(image)
        return np.ascontiguousarray(_to_rgb(image)[..., ::-1])


def read_size(path: str) -> tuple[int, int]:
    """Width and height, of which a turn may make height and width.

    Raises:
        ValueError: If the file is no image; it is named.
    """
    with opened(path) as image:
        return image.size


def read_label_map(path: str) -> np.ndarray:
    """int64 classes of pixels, (H, W), as they stand in the file.

    Raises:
        ValueError: If the file is damaged or no image, or has colours where
            one number a pixel is wanted; it is named.
    """
    with opened(path, 'label image') as image:
        classes = np.asarray(image)
    if classes.ndim != 2:
        raise ValueError(
            f'label image {path} has {classes.shape[2]} channels: give one '
            'with a number or an entry of a palette for each pixel'
        )
    return classes.astype(np.int64)


def read_mask(path: str) -> np.ndarray:
    """uint8 (H, W), 1 where the file is white, 0 where it is black.

    Raises:
        ValueError: If the file is damaged or no image, or has no hole, or
            nothing else; it is named.
    """
    values = read_image(path, what='mask').max(axis=2)
    mask = (values > 127).astype(np.uint8)
    if mask.all() or not mask.any():
        colour = 'white' if mask.all() else 'black'
        raise ValueError(
            f'mask {path} is all {colour} (its values are {values.min()} to '
            f'{values.max()}, white is 255): it must be white in the hole '
            'and black elsewhere'
        )
    return mask


def _to_rgb(image: Image.Image) -> np.ndarray:
    """uint8 RGB, (H, W, 3)."""
    if image.mode.startswith('I'):  # 16 bits
        values = np.asarray(image).astype(np.float64)
        grey = (values / 257).round().clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if 'A' in image.mode or 'transparency' in image.info:
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert('RGB'))


def find_damage(path: str) -> str | None:
    """What is wrong with an image or a ``.npy``; None if nothing is.

    A file whose end is where its format wants it is trusted, another one is
    decoded: reading every pixel of a million files would take an hour.
    """
    try:
        if path.lower().endswith('.npy'):
            # Compares the file's length with its header's.
            np.load(path, mmap_mode='r', allow_pickle=False)
            return None
        with open(path, 'rb') as file:
            head = file.read(12)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            if _ends_well(head, file.read(), size):
                return None
            file.seek(0)
            content = file.read()
        read_image(path)
        # Zeros in the place of data decode well: a JPEG without an end mark
        # after its last scan is not whole.
        if head.startswith(JPEG) and content.rfind(JPEG_END) < content.rfind(
            JPEG_SCAN
        ):
            return 'image file has no end'
    except (OSError, ValueError, EOFError) as error:
        cause = error.__cause__ or error
        return str(cause)
    return None


def _ends_well(head: bytes, tail: bytes, size: int) -> bool:
    if head[:4] == b'RIFF' and head[8:] == b'WEBP':
        return int.from_bytes(head[4:8], 'little') + 8 <= size
    return any(
        head.startswith(magic) and mark in tail
        for magic, mark in END_MARKS.items()
    )


def files_below(root: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Files below a folder; links are followed, but no folder twice.

    Args:
        root: The folder.
        suffixes: Of the files, in small letters.
    """
    seen = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders.sort()  # else the disk decides which link comes first
        for name in names:
            if name.lower().endswith(suffixes):
                yield os.path.join(folder, name)


def check_files(paths: Sequence[str], what: str = 'images') -> None:
    """Raise, naming them, if files are damaged; see :func:`find_damage`."""
    with ThreadPoolExecutor(8) as pool:
        damages = list(pool.map(find_damage, paths))
    damaged = [
        f'{path} ({damage})'
        for path, damage in zip(paths, damages, strict=True)
        if damage
    ]
    if damaged:
        shown = '; '.join(damaged[:5])
        raise ValueError(
            f'{len(damaged)} of {len(paths)} {what} cannot be read: {shown}'
            f'{" ..." if len(damaged) > 5 else ""}: delete or replace them'
        )
    print_log(
        f'{len(paths)} {what} found, none damaged',
        logger='current',
        level=logging.INFO,
    )
