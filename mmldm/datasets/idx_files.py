"""Files in the idx format, in which MNIST and its relatives are published."""

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

UINT8 = 0x08
COMPRESSED = '.gz'
GZIP = b'\x1f\x8b'


def find_idx(folder: str | Path, name: str) -> Path:
    """The file of a name in a folder, plain or with the suffix ``.gz``.

    Raises:
        FileNotFoundError: If there is neither.
    """
    path = Path(folder) / name
    for candidate in (path, path.with_name(path.name + COMPRESSED)):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f'{path} does not exist, nor with {COMPRESSED} at its end: set '
        'data_root to the folder of the idx files, and their names'
    )


def read_idx(path: str | Path) -> np.ndarray:
    """The uint8 array of an idx file, which may be compressed by gzip.

    Raises:
        ValueError: If the file is damaged, or holds other numbers.
    """
    path = Path(path)
    try:
        with path.open('rb') as file:
            compressed = file.read(len(GZIP)) == GZIP
        with gzip.open(path) if compressed else path.open('rb') as file:
            return _array(file)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(
            f'{path} cannot be read ({error}): download it again'
        ) from error


def _array(file: BinaryIO) -> np.ndarray:
    """The array of an open file, after a check of its length."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b'\0\0':
        raise ValueError(f'no idx file begins with {head.hex() or "nothing"}')
    kind, num_sides = head[2:]
    if kind != UINT8:
        raise ValueError(
            f'its numbers are of type 0x{kind:02x}, expected 0x{UINT8:02x} '
            '(uint8)'
        )
    header = file.read(4 * num_sides)
    if len(header) != 4 * num_sides:
        raise ValueError('its header is cut off')
    sides = np.frombuffer(header, '>u4').tolist()
    content = file.read()
    if len(content) != math.prod(sides):
        raise ValueError(
            f'its header is for {"x".join(map(str, sides))} bytes, but '
            f'{len(content)} follow'
        )
    return np.frombuffer(content, np.uint8).reshape(sides)
