"""The formats that are read, and their decoding with Pillow."""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO
from threading import Lock
from typing import BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError

# Formats that Pillow opens, but mmldm does not: programs (Ghostscript runs
# EPS), and formats that Pillow only knows by name.
NOT_READ = {'BUFR', 'EPS', 'GRIB', 'HDF5', 'IPTC', 'MPEG', 'WMF'}
# Formats whose several pictures are not an animation, but views or layers.
ONE_PICTURE = ('MPO', 'PSD', 'ICO', 'ICNS')
PNG = b'\x89PNG\r\n\x1a\n'
# Bytes; the texts of a PNG that say how it is turned are shorter.
LONGEST_TEXT = 2**16

_lock = Lock()


def _suffixes() -> tuple[str, ...]:
    Image.init()
    return tuple(
        sorted(
            suffix
            for suffix, name in Image.registered_extensions().items()
            if name in Image.OPEN and name not in NOT_READ
        )
    )


# Suffixes of image files, in lower case.
SUFFIXES = _suffixes()


class Decoded(NamedTuple):
    """An image, and properties of its file that reading the pixels loses.

    Attributes:
        image: Pillow's image.
        wide: Whether the file has more than 8 bits a channel.
        several: Whether it has more than one picture; False if the pixels
            were asked for.
    """

    image: Image.Image
    wide: bool
    several: bool


def decode(path: str, content: bytes | None, header: bool) -> Decoded:
    """Decode an image with Pillow, without Pillow's limits of size.

    The limits guard against files of strangers; training data are the user's
    own. For other code in the process, Pillow's limits stay as they are.

    Args:
        path: The file's path; its suffix decides if the format has no
            signature.
        content: The file's bytes; None reads ``path``.
        header: Read no pixels if that can be avoided.

    Raises:
        OSError: If the file is missing, or not a regular file.
        Exception: Whatever Pillow raises for a broken file.
    """
    if content is None and not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError('not a regular file')
    suffix = os.path.splitext(path)[1].lower()
    with BytesIO(content) if content is not None else open(path, 'rb') as file:
        try:
            return _decode(file, suffix, header)
        except Exception:
            plain = _png_without_texts(file)
            if plain is not None:
                with suppress(Exception):  # the first error says more
                    return _decode(BytesIO(plain), suffix, header)
            raise


def _decode(file: BinaryIO, suffix: str, header: bool) -> Decoded:
    image = _identify(file, suffix)
    layouts = ' '.join(str(tile[-1]) for tile in image.tile)
    wide = image.mode[0] in 'IF' or ';16' in layouts
    if not header or _has_late_exif(image, file):
        # Pillow looks at the size of a TIFF's tiles here.
        with _unlimited() if _is_large_tiff(image) else nullcontext():
            image.load()
    with suppress(Exception):  # broken EXIF is no EXIF
        exif_of(image)  # some formats read it from the open file
    return Decoded(image, wide, header and _has_several(image))


def _has_several(image: Image.Image) -> bool:
    """Whether a file has more than one picture, as animations do."""
    if image.format in ONE_PICTURE:
        return False
    try:
        return bool(getattr(image, 'is_animated', False))
    except Exception:  # a later picture is broken; it is not read
        return True


def _is_large_tiff(image: Image.Image) -> bool:
    limit = Image.MAX_IMAGE_PIXELS
    pixels = image.width * image.height
    return image.format == 'TIFF' and limit is not None and pixels > limit


def exif_of(image: Image.Image) -> Image.Exif:
    """The image's EXIF; PNG's own method would read all pixels first."""
    return Image.Image.getexif(image)


def _has_late_exif(image: Image.Image, file: BinaryIO) -> bool:
    """Whether a PNG may have EXIF data or a text after its pixels."""
    if image.format != 'PNG' or 'exif' in image.info:
        return False
    place, late = file.tell(), False
    file.seek(len(PNG))
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack('>I4s', start)
        late = late or kind in (b'eXIf', b'iTXt')
        file.seek(length + 4, os.SEEK_CUR)
    file.seek(place)
    return late


def _identify(file: BinaryIO, suffix: str) -> Image.Image:
    """Open an image as Pillow's ``open`` does, without limit of pixels."""
    prefix = file.read(16)
    named = Image.registered_extensions().get(suffix)
    first = UnidentifiedImageError('not an image of a known kind')
    for name in sorted(Image.ID, key=lambda name: name != named):
        factory, accept = Image.OPEN[name]
        # If a format has no signature, the suffix decides.
        known = name == named if accept is None else accept(prefix)
        if known in (False, None) or isinstance(known, str):
            continue
        if name in NOT_READ:
            continue
        file.seek(0)
        try:
            return _make(factory, file)
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            if isinstance(first, UnidentifiedImageError):
                first = error
    raise first


def _make(factory: type, file: BinaryIO) -> Image.Image:
    try:
        return factory(file, '')
    except Image.DecompressionBombError:
        file.seek(0)
        # Some formats check the limit themselves: WebP above 178 million
        # pixels.
        with _unlimited():
            return factory(file, '')


@contextmanager
def _unlimited() -> Iterator[None]:
    """Lift Pillow's limit of pixels, for as short as possible."""
    with _lock:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _png_without_texts(file: BinaryIO) -> bytes | None:
    """A PNG without long texts and colour profiles.

    None if there is nothing to remove, or the file is not a PNG.
    """
    file.seek(0)
    kept, dropped = [file.read(len(PNG))], False
    if kept != [PNG]:
        return None
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack('>I4s', start)
        body = file.read(length)
        check = file.read(4)
        if _needed(kind, body, check):
            kept += start, body, check
        else:
            dropped = True
    return b''.join(kept) if dropped else None


def _needed(kind: bytes, body: bytes, check: bytes) -> bool:
    """Whether a PNG chunk is kept: pixels, or a valid short text."""
    if kind[:1].isupper():
        return True
    sound = check == struct.pack('>I', zlib.crc32(kind + body))
    packed = kind in (b'zTXt', b'iCCP') or (
        kind == b'iTXt' and body.partition(b'\0')[2][:1] == b'\1'
    )
    long = kind in (b'tEXt', b'iTXt') and len(body) > LONGEST_TEXT
    return sound and not packed and not long
