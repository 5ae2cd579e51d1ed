"""Checks, before training starts, that files are not cut off."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from . import jpeg
from .image_files import read_header
from .image_formats import PNG, SUFFIXES, decode
from .shard_files import open_shard
from .threads import in_threads

# Bytes near the end of a whole file; WebP and BMP state their length.
END_MARKS = {PNG: b'IEND', jpeg.START: jpeg.END, b'GIF8': b'\0;'}
HEAD, TAIL = 4096, 64
BMP_HEADER = 26  # bytes at least
# First bytes of files that may hold several pictures, or more than 8 bits.
ANIMATIONS = (b'GIF8', b'II', b'MM')
WIDE = (
    b'II',
    b'MM',
    b'P5',
    b'P6',
    b'Pf',
    b'PF',
    b'SIMPLE',
    b'8BPS',
    b'\0\0\0\x0cjP',
)


class Found(NamedTuple):
    """The findings about an image file.

    Attributes:
        damage: Why the file cannot be read; None if nothing is wrong.
        animated: Whether the file has more than one picture.
        mode: Pillow's mode if the image has more than 8 bits a channel,
            else None.
    """

    damage: str | None = None
    animated: bool = False
    mode: str | None = None


class Stored(NamedTuple):
    """An image stored as a file, or as a part of one.

    Args:
        path: Name of the image, for errors.
        file: Path of the file that holds it; None if that is ``path``.
        start: First byte of the image in the file.
        size: Number of bytes; None for the whole file.
    """

    path: str
    file: str | None = None
    start: int = 0
    size: int | None = None

    def look(self) -> Found:
        """See :func:`look`."""
        try:
            with open_shard(self.file or self.path) as file:
                size = self.size
                if size is None:
                    size = file.seek(0, os.SEEK_END)

                def part(first: int, length: int) -> bytes:
                    file.seek(self.start + first)
                    return file.read(min(length, size - first))

                return look(self.path, size, part)
        except OSError as error:
            return Found(error.strerror or str(error))


def look(path: str, size: int, part: Callable[[int, int], bytes]) -> Found:
    """Check an image, and decode it only if it seems cut off.

    A file with a proper end is trusted, another one is decoded: reading every
    pixel of a million files would take an hour.

    Args:
        path: Name of the image, for errors.
        size: Size of the file, bytes.
        part: Reads a part: (first byte, number of bytes) -> bytes.
    """
    if not size:
        return Found('it is empty')
    head = part(0, HEAD)
    tail = part(max(0, size - TAIL), TAIL)
    try:
        if not _ends_well(head, tail, size):
            damage = _damage(path, part(0, size))
            if damage:
                return Found(damage)
        if not _may_be_special(head):
            return Found()
        header = read_header(path, part(0, size))
    except (OSError, ValueError) as error:
        return Found(str(error.__cause__ or error))
    return Found(
        animated=header.animated, mode=header.mode if header.wide else None
    )


def look_at_all(files: Sequence[Stored]) -> list[Found]:
    """The findings of :func:`look` about many files, in their order."""
    return in_threads(Stored.look, files)


def find_damage(path: str) -> str | None:
    """What is wrong with an image or a ``.npy``; None if nothing is.

    Files of other kinds are not checked. For an array, the file's length is
    compared with its header's.
    """
    if path.lower().endswith('.npy'):
        try:
            np.load(path, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            return str(error)
        return None
    if path.lower().endswith(SUFFIXES):
        return Stored(path).look().damage
    return None


def _damage(path: str, content: bytes) -> str | None:
    """Why an image without a proper end cannot be decoded; None if it can."""
    try:
        decode(path, content, header=False)
    except Exception as error:  # decoders raise many kinds
        return str(error) or type(error).__name__
    # Decoders accept zeros in place of data: a JPEG without an end mark
    # after its last scan is cut off.
    scan = content.rfind(bytes([0xFF, jpeg.SCAN]))
    if content.startswith(jpeg.START) and content.rfind(jpeg.END) < scan:
        return 'image file has no end'
    return None


def _ends_well(head: bytes, tail: bytes, size: int) -> bool:
    if head[:4] == b'RIFF' and head[8:12] == b'WEBP':
        return int.from_bytes(head[4:8], 'little') + 8 <= size
    if head[:2] == b'BM':
        return BMP_HEADER < int.from_bytes(head[2:6], 'little') <= size
    return any(
        head.startswith(magic) and mark in tail
        for magic, mark in END_MARKS.items()
    )


def _may_be_special(head: bytes) -> bool:
    """Whether the file may be an animation or have more than 8 bits."""
    if head.startswith(PNG):
        return head[24:25] == b'\x10' or b'acTL' in head
    if head[:4] == b'RIFF':
        return head[12:16] == b'VP8X' and bool(head[20] & 2)
    return head.startswith((*ANIMATIONS, *WIDE)) or head[4:8] == b'ftyp'
