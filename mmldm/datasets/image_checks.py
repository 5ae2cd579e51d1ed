"""Whether files are whole, before training starts."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .image_files import read_header
from .image_formats import PNG, SUFFIXES, decode
from .threads import in_threads

JPEG, JPEG_SCAN, JPEG_END = b'\xff\xd8\xff', b'\xff\xda', b'\xff\xd9'
# What the last bytes of a whole file hold; WebP and BMP state their length.
END_MARKS = {PNG: b'IEND', JPEG: JPEG_END, b'GIF8': b'\0;'}
HEAD, TAIL = 4096, 64
BMP_HEADER = 26  # bytes at least
# Beginnings of files that may hold several pictures, or more than 8 bits.
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
    """What a look at a file has found.

    Attributes:
        damage: Why it cannot be read; None if nothing is wrong.
        animated: It is an image with more pictures than the first.
        mode: Pillow's mode of an image with more than 8 bits a channel;
            None of another.
    """

    damage: str | None = None
    animated: bool = False
    mode: str | None = None


class Stored(NamedTuple):
    """A file on the disk, or a part of one.

    Args:
        path: Of the image, for errors.
        file: That has it; None for ``path``.
        start: First byte in it.
        size: Bytes; None for all.
    """

    path: str
    file: str | None = None
    start: int = 0
    size: int | None = None

    def look(self) -> Found:
        """See :func:`look`."""
        try:
            with open(self.file or self.path, 'rb') as file:
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
    """What can be said of an image without decoding it, if it is whole.

    A file whose end is where its format wants it is trusted, another one is
    decoded: reading every pixel of a million files would take an hour.

    Args:
        path: Of the image, for errors.
        size: Of the file, bytes.
        part: (first byte, number of bytes) -> bytes.
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
    """What :func:`look` finds, of many files at a time."""
    return in_threads(Stored.look, files)


def find_damage(path: str) -> str | None:
    """What is wrong with an image or a ``.npy``; None if nothing is.

    None also of files of other kinds. Of an array the file's length is
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
    """Why an image that does not end well cannot be decoded."""
    try:
        decode(path, content, header=False)
    except Exception as error:  # decoders raise many kinds
        return str(error) or type(error).__name__
    # Zeros in the place of data decode well: a JPEG without an end mark
    # after its last scan is not whole.
    if content.startswith(JPEG) and content.rfind(JPEG_END) < content.rfind(
        JPEG_SCAN
    ):
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
    """Whether it may be an animation or have more than 8 bits."""
    if head.startswith(PNG):
        return head[24:25] == b'\x10' or b'acTL' in head
    if head[:4] == b'RIFF':
        return head[12:16] == b'VP8X' and bool(head[20] & 2)
    return head.startswith((*ANIMATIONS, *WIDE)) or head[4:8] == b'ftyp'
