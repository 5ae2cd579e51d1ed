"""Generated images in files that an interrupted run can go on with."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from .whole_files import replaced

# Folder for images only, so that it can be compared with other folders.
IMAGES = 'images'
SIGNATURE = b'\x89PNG\r\n\x1a\n'
# A PNG's first chunk, IHDR, ends here.
AFTER_HEADER = 33
# Keyword of the text chunk with the name of the run.
KEYWORD = b'mmldm'


def image_path(folder: str | Path, number: int) -> Path:
    """Path of the image with this number: ``images/000000.png`` ..."""
    return Path(folder, IMAGES, f'{number:06d}.png')


class ImageStore:
    """PNG files of numbered images, each with the name of its run inside.

    A file is written whole or not at all, and its checksums are verified when
    it is read. Files that are cut off, damaged or of another run count as
    missing.

    Args:
        folder: Folder of the folder ``images``.
        run: Name of the run, ASCII: a digest of everything that the images
            depend on.
    """

    def __init__(self, folder: str | Path, run: str) -> None:
        self.folder = Path(folder)
        self.run = run.encode('ascii')

    def write(self, number: int, image: np.ndarray) -> None:
        """Write an image, uint8 RGB (H, W, 3).

        Raises:
            OSError: If it cannot be written, for example on a full disk.
        """
        path = image_path(self.folder, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        _, png = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        try:
            with replaced(path) as aside:
                aside.write_bytes(with_text(png.tobytes(), self.run))
        except OSError as error:
            raise OSError(
                f'{path} could not be written ({error.strerror}): free disk '
                'space and start the same command again; earlier images are '
                'intact'
            ) from error

    def read(self, number: int) -> np.ndarray | None:
        """An image, uint8 RGB (H, W, 3); None if it is missing."""
        content = self._content(number)
        if content is None:
            return None
        image = cv2.imdecode(
            np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR
        )
        return (
            None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        )

    def has(self, number: int) -> bool:
        """Whether the image is there, whole and of this run."""
        return self._content(number) is not None

    def _content(self, number: int) -> bytes | None:
        try:
            content = image_path(self.folder, number).read_bytes()
        except OSError:
            return None
        try:
            texts = [d for kind, d in chunks(content) if kind == b'tEXt']
        except ValueError:
            return None
        return content if KEYWORD + b'\0' + self.run in texts else None


def with_text(png: bytes, text: bytes) -> bytes:
    """A PNG with one more text chunk, after its header."""
    data = b'tEXt' + KEYWORD + b'\0' + text
    chunk = struct.pack('>I', len(data) - 4) + data
    chunk += struct.pack('>I', zlib.crc32(data))
    return png[:AFTER_HEADER] + chunk + png[AFTER_HEADER:]


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, data) of a PNG's chunks, up to its end.

    Raises:
        ValueError: If it is no PNG, cut off, or a checksum is wrong.
    """
    if not png.startswith(SIGNATURE):
        raise ValueError('the file is no PNG')
    place, kind = len(SIGNATURE), b''
    while kind != b'IEND':
        head = png[place : place + 8]
        if len(head) < 8:
            raise ValueError('the file is cut off')
        length, kind = struct.unpack('>I4s', head)
        data = png[place + 8 : place + 8 + length]
        checksum = png[place + 8 + length : place + 12 + length]
        if checksum != struct.pack('>I', zlib.crc32(kind + data)):
            raise ValueError('a checksum of the file is wrong')
        yield kind, data
        place += 12 + length
