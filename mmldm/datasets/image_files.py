"""Reading of image files of any kind."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from .image_formats import Decoded, decode
from .jpeg import read_usual
from .pixel_values import (
    Range,
    has_alpha,
    orientation,
    to_rgb,
    upright,
    wide_image,
)
from .report import DataReport, printable

# Grey level above which a pixel of a mask is white; largest distance of JPEG
# noise from black and white; largest grey share of a mask with alpha.
MASK_THRESHOLD, NEAR, MOST_GREY = 127, 32, 0.05


class Header(NamedTuple):
    """The properties of an image that need no pixels.

    Attributes:
        height: Pixels, after the turn that EXIF asks for.
        width: Pixels, after the turn that EXIF asks for.
        mode: Pillow's mode.
        channels: Number of values a pixel.
        wide: Whether it has more than 8 bits a channel.
        animated: Whether it has more than one picture; the first is read.
    """

    height: int
    width: int
    mode: str
    channels: int
    wide: bool
    animated: bool


def read_image(
    path: str,
    content: bytes | None = None,
    what: str = 'image',
    value_range: Range | None = None,
) -> np.ndarray:
    """Read an image as uint8 RGB, (H, W, 3).

    The image is turned as its EXIF data says, grey is repeated, more than 8
    bits are reduced to 8, and transparent pixels are laid on white. The
    first picture of an animation is read. Size and texts have no limit.

    Args:
        path: The file's path, or its name in errors if ``content`` is given.
        content: The file's bytes; None reads ``path``.
        what: Kind of the image, for errors.
        value_range: (black, white) of images with more than 8 bits a
            channel; None means (0, 65535), and (0, 1) for floats.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is damaged or not an image, or has values
            far outside the default range; it is named.
    """
    return read_sized(path, content, what, value_range)[0]


def read_sized(
    path: str,
    content: bytes | None = None,
    what: str = 'image',
    value_range: Range | None = None,
    least: tuple[int, int] | None = None,
) -> tuple[np.ndarray, tuple[int, int]]:
    """Read an image that may be smaller, and its full size.

    Args:
        path: See :func:`read_image`.
        content: See :func:`read_image`.
        what: See :func:`read_image`.
        value_range: See :func:`read_image`.
        least: Height and width that a JPEG must keep if it is decoded at a
            half, a quarter or an eighth of its size; None for the full size.

    Returns:
        Pixels (H, W, 3), and height and width of the full image.
    """
    found = read_usual(path, content, least)
    if found is None:
        image = _any_image(path, content, what, value_range)
        found = image, image.shape[:2]
    return found


def _any_image(
    path: str, content: bytes | None, what: str, value_range: Range | None
) -> np.ndarray:
    """Read an image of any kind by Pillow; see :func:`read_image`."""
    image, wide, _ = read_by_pillow(path, content, what)
    if value_range is not None and wide and image.mode[0] not in 'IF':
        image = _scaled_colours(image, path, content, value_range)
    try:
        return to_rgb(upright(image), value_range)
    except (ValueError, OSError, MemoryError) as error:
        raise _unreadable(path, what, error) from error


def _scaled_colours(
    image: Image.Image, path: str, content: bytes | None, value_range: Range
) -> Image.Image:
    """The 16-bit colours of an image, scaled from a range to 8 bits."""
    raw = Path(path).read_bytes() if content is None else content
    colours = wide_image(raw, value_range)
    if colours is None:
        return image
    colours.getexif()[ExifTags.Base.Orientation] = orientation(image)
    return colours


def read_header(path: str, content: bytes | None = None) -> Header:
    """The properties of an image that need no pixels.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is not an image; it is named.
    """
    image, wide, several = read_by_pillow(path, content, 'image', header=True)
    width, height = image.size
    # Pillow turns the size of a TIFF itself.
    if orientation(image) >= 5 and image.format != 'TIFF':
        width, height = height, width
    return Header(
        height,
        width,
        image.mode,
        len(image.getbands()),
        wide,
        several,
    )


def fits(shape: tuple[int, int], annotated: tuple[int, int]) -> bool:
    """Whether an image may be the annotated one or a smaller copy.

    Both must have the same proportions, up to rounding.

    Args:
        shape: Height and width of the image, pixels.
        annotated: Height and width of the annotated image, pixels.
    """
    factors = [
        side / whole for side, whole in zip(shape, annotated, strict=True)
    ]
    rounding = 1 / min(*shape, *annotated)
    return abs(factors[0] - factors[1]) <= rounding


def read_values(path: str, content: bytes | None = None) -> np.ndarray:
    """The values of an image as stored in the file, not turned.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is damaged or not an image; it is named.
    """
    return np.asarray(read_by_pillow(path, content, 'image').image)


def read_mask(path: str, report: DataReport | None = None) -> np.ndarray:
    """Read a mask, uint8 (H, W); see :func:`mask_of`.

    Args:
        path: The file's path.
        report: Counts masks with grey; None logs them at once.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is damaged or no mask; it is named.
    """
    return mask_of(read_by_pillow(path, None, 'mask').image, path, report)


def mask_of(
    image: Image.Image, name: str, report: DataReport | None = None
) -> np.ndarray:
    """The mask of an image, uint8 (H, W): 1 where white, 0 where black.

    Grey counts as white above 127, and transparent pixels count as black.

    Args:
        image: The mask.
        name: Its name, for messages.
        report: Counts masks with grey; None logs them at once.

    Raises:
        ValueError: If the image is all black or all white, or has colours
            beside transparent pixels; it is named.
    """
    own = DataReport('mask') if report is None else report
    values, alpha = _mask_values(image, name)
    mask = (values > MASK_THRESHOLD).astype(np.uint8)
    if mask.all() or not mask.any():
        colour = 'white' if mask.all() else 'black'
        why = ', transparent pixels (alpha) count as black'
        raise ValueError(
            f'mask {printable(name)} is all {colour} (its values are '
            f'{values.min()} to {values.max()}, white is 255'
            f'{why if alpha else ""}): it must be white in the hole and '
            'black elsewhere'
        )
    if _between(values).any():
        own.note(
            'masks have grey pixels, which count as white above '
            f'{MASK_THRESHOLD}',
            name,
        )
    if report is None:
        own.tell()
    return mask


def _mask_values(image: Image.Image, name: str) -> tuple[np.ndarray, bool]:
    """Grey values, uint8 (H, W), and whether alpha made some black."""
    image = upright(image)
    if image.mode[0] in 'IF' or not has_alpha(image):
        return to_rgb(image, None).max(axis=2), False
    rgba = np.asarray(image.convert('RGBA'))
    alpha, values = rgba[..., 3], rgba[..., :3].max(axis=2)
    opaque = alpha > MASK_THRESHOLD
    coloured = _between(values)[opaque]
    if not opaque.all() and coloured.any() and coloured.mean() > MOST_GREY:
        raise ValueError(
            f'mask {printable(name)} has an alpha channel with transparent '
            'pixels, and colours where it is opaque: give black and white, '
            'white in the hole, without alpha'
        )
    dark = (values.astype(np.uint16) * alpha // 255).astype(np.uint8)
    return dark, not opaque.all()


def _between(values: np.ndarray) -> np.ndarray:
    """Where pixels are neither black nor white, up to JPEG noise."""
    return (values > NEAR) & (values < 255 - NEAR)


def read_by_pillow(
    path: str, content: bytes | None, what: str, header: bool = False
) -> Decoded:
    """Decode an image with Pillow; errors name the file."""
    try:
        return decode(path, content, header)
    except FileNotFoundError:
        raise
    # Decoders raise errors of many kinds about what is broken.
    except Exception as error:
        raise _unreadable(path, what, error) from error


def _unreadable(path: str, what: str, error: Exception) -> ValueError:
    why = str(error) or type(error).__name__
    return ValueError(
        f'{what} {printable(path)} cannot be read ({printable(why)}): delete '
        'or replace it'
    )
