"""Decoding of usual JPEG files by the libjpeg-turbo that OpenCV contains.

The pixels are those of Pillow, which uses the same library, in three quarters
of the time. Files that are unusual in any way are left to Pillow.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image

SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif')
START, END, SCAN, EXIF = b'\xff\xd8\xff', b'\xff\xd9', 0xDA, 0xE1
# Frames of 8 bits with Huffman codes: baseline, extended, progressive.
FRAMES = (0xC0, 0xC1, 0xC2)
OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, *range(0xC9, 0xD0))
# Bytes at the end in which a whole file has its mark.
TAIL = 64
# OpenCV before 4.11 makes BGR only.
RGB = getattr(cv2, 'IMREAD_COLOR_RGB', None)
FLAGS = {
    1: cv2.IMREAD_COLOR if RGB is None else RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class Frame(NamedTuple):
    """The size of a JPEG, pixels."""

    height: int
    width: int


def read_usual(
    path: str, content: bytes | None, least: tuple[int, int] | None
) -> tuple[np.ndarray, Frame] | None:
    """Read a usual JPEG: pixels, uint8 RGB (H, W, 3), and its full size.

    Args:
        path: The file's path; its suffix tells a JPEG.
        content: The file's bytes; None reads ``path``.
        least: Height and width to keep if it is decoded smaller; None for
            the full size.

    Returns:
        None if the file is unusual, or cannot be read.
    """
    if content is None:
        if not (path.lower().endswith(SUFFIXES) and os.path.isfile(path)):
            return None
        with suppress(OSError):
            content = Path(path).read_bytes()
    frame = content and usual_frame(content)
    if not frame:
        return None
    image = _decode(content, 1 if least is None else _divisor(frame, least))
    return None if image is None else (image, frame)


def usual_frame(content: bytes) -> Frame | None:
    """The size of a JPEG file; None if it is unusual.

    Usual are files with an end, 8 bits, one or three colours, and pixels that
    are stored upright.
    """
    if content[:3] != START or END not in content[-TAIL:]:
        return None
    place, frame = 2, None
    while place + 4 <= len(content) and content[place] == 0xFF:
        kind = content[place + 1]
        if kind == SCAN:
            return frame
        length = int.from_bytes(content[place + 2 : place + 4])
        if length < 2 or kind in OTHER_FRAMES:
            return None
        part = content[place + 4 : place + 2 + length]
        if kind == EXIF and not _upright(part):
            return None
        if kind in FRAMES:
            frame = _frame(part)
        place += 2 + length
    return None


def _frame(part: bytes) -> Frame | None:
    """The size in a frame's header."""
    if len(part) < 6 or part[0] != 8 or part[5] not in (1, 3):
        return None
    height, width = (int.from_bytes(part[i : i + 2]) for i in (1, 3))
    return Frame(height, width) if height and width else None


def _upright(part: bytes) -> bool:
    """Whether EXIF data, or XMP, leave an image as it is stored."""
    if not part.startswith(b'Exif\0\0'):
        return b'rientation' not in part
    exif = Image.Exif()
    try:
        exif.load(part)
        turn = exif.get(ExifTags.Base.Orientation)
    except Exception:  # a broken EXIF block raises many kinds
        return False
    return turn in (None, 1)


def _decode(content: bytes, divisor: int = 1) -> np.ndarray | None:
    """The pixels of a usual file, uint8 RGB (H, W, 3); None if it fails.

    Args:
        content: The bytes of a usual file.
        divisor: 2, 4 or 8 give a smaller image, whose sides are rounded up.
            The decoder makes it from the low frequencies of each block.
    """
    values = np.frombuffer(content, np.uint8)
    flags = FLAGS[divisor] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(values, flags)
    except cv2.error:  # such as more than a billion pixels
        return None
    if image is not None and FLAGS[divisor] != RGB:
        cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    return image


def _divisor(frame: Frame, least: tuple[int, int]) -> int:
    """The largest divisor that leaves an image of at least some size.

    Args:
        frame: The size of the image.
        least: Height and width to keep, pixels.
    """
    room = min(side // kept for side, kept in zip(frame, least, strict=True))
    return max(d for d in FLAGS if d <= max(1, room))
