"""Which images are read, and how a file becomes an image of Pillow."""

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

# Of what Pillow opens: programs (Ghostscript runs EPS), and formats that it
# only knows by name.
NOT_READ = {'BUFR', 'EPS', 'GRIB', 'HDF5', 'IPTC', 'MPEG', 'WMF'}
# Of what several pictures in one file are no animation: two views, layers.
ONE_PICTURE = ('MPO', 'PSD', 'ICO', 'ICNS')
PNG = b'\x89PNG\r\n\x1a\n'
# Texts of a PNG that may say how it is turned are shorter.
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


# Of the files that are images, in small letters.
SUFFIXES = _suffixes()


class Decoded(NamedTuple):
    """An image, and what of its file is lost as its pixels are read.

    Attributes:
        image: Of Pillow.
        wide: Whether the file has more than 8 bits a channel.
        several: Whether it has more pictures than the first; False where
            all pixels are read.
    """

    image: Image.Image
    wide: bool
    several: bool


def decode(path: str, content: bytes | None, header: bool) -> Decoded:
    """An image of Pillow, without Pillow's limits of size.

    These guard against files of strangers; training data are the user's.
    Pillow's own limits stay as they are for others in the process.

    Args:
        path: Of the file; its suffix helps where a format has no signature.
        content: Of the file, where it is not on the disk by itself.
        header: Read no pixels where it can be avoided.

    Raises:
        OSError: If there is no such file, or no regular one.
        Exception: Whatever Pillow raises about a broken one.
    """
    if content is None and not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError('no regular file')
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
    """Whether a file has more pictures than the first, as animations do."""
    if image.format in ONE_PICTURE:
        return False
    try:
        return bool(getattr(image, 'is_animated', False))
    except Exception:  # of pictures behind the first, which are not read
        return True


def _is_large_tiff(image: Image.Image) -> bool:
    limit = Image.MAX_IMAGE_PIXELS
    pixels = image.width * image.height
    return image.format == 'TIFF' and limit is not None and pixels > limit


def exif_of(image: Image.Image) -> Image.Exif:
    """What is known of it; PNG's own method would read all pixels first."""
    return Image.Image.getexif(image)


def _has_late_exif(image: Image.Image, file: BinaryIO) -> bool:
    """Whether a PNG has EXIF data, or a text, behind its pixels."""
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
    """As Pillow's ``open``, without its limit of pixels."""
    prefix = file.read(16)
    named = Image.registered_extensions().get(suffix)
    first = UnidentifiedImageError('no image of a known kind')
    for name in sorted(Image.ID, key=lambda name: name != named):
        factory, accept = Image.OPEN[name]
        # Without a signature, only its name says what a file is.
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
        # Some formats have the limit within: WebP of more than 178 million
        # pixels.
        with _unlimited():
            return factory(file, '')


@contextmanager
def _unlimited() -> Iterator[None]:
    """No limit of pixels, for as short as can be."""
    with _lock:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _png_without_texts(file: BinaryIO) -> bytes | None:
    """A PNG with what its pixels need, but no long texts or profiles.

    None where that is the file itself, or it is no PNG.
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
    """Whether a chunk of a PNG is of use: pixels, or a sound short text."""
    if kind[:1].isupper():
        return True
    sound = check == struct.pack('>I', zlib.crc32(kind + body))
    packed = kind in (b'zTXt', b'iCCP') or (
        kind == b'iTXt' and body.partition(b'\0')[2][:1] == b'\1'
    )
    long = kind in (b'tEXt', b'iTXt') and len(body) > LONGEST_TEXT
    return sound and not packed and not long
