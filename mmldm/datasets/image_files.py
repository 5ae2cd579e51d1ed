"""Reading image files of any kind."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from .image_formats import Decoded, decode
from .pixel_values import (
    Range,
    has_alpha,
    orientation,
    to_rgb,
    upright,
    wide_image,
)
from .report import DataReport, printable

# Grey above which a pixel of a mask is white; how far from black and white
# the noise of a JPEG is; which part of a mask may be grey beside alpha.
MASK_THRESHOLD, NEAR, MOST_GREY = 127, 32, 0.05


class Header(NamedTuple):
    """What is known of an image without its pixels.

    Attributes:
        height: As it is turned.
        width: As it is turned.
        mode: Pillow's.
        channels: How many numbers a pixel has.
        wide: It has more than 8 bits a channel.
        animated: It has more pictures than the first, which is read.
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
    """uint8 RGB, (H, W, 3).

    Turned as its EXIF data says, grey repeated, more than 8 bits brought to
    8, and what is transparent laid on white. Of an animation the first
    picture. Size and texts have no limit.

    Args:
        path: Of the file, or what errors call it.
        content: Of the file, where it is not on the disk by itself.
        what: It is, for errors.
        value_range: Values that become black and white, of images with more
            than 8 bits a channel; None for 0 and 65535, and for 0 and 1 of
            floats.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or no image, or has values far
            outside of a range that nobody gave; it is named.
    """
    image, wide, _ = _read(path, content, what)
    if value_range is not None and wide and image.mode[0] not in 'IF':
        image = _scaled_colours(image, path, content, value_range)
    try:
        return to_rgb(upright(image), value_range)
    except (ValueError, OSError, MemoryError) as error:
        raise _unreadable(path, what, error) from error


def _scaled_colours(
    image: Image.Image, path: str, content: bytes | None, value_range: Range
) -> Image.Image:
    """Colours of 16 bits scaled by a range."""
    raw = Path(path).read_bytes() if content is None else content
    colours = wide_image(raw, value_range)
    if colours is None:
        return image
    colours.getexif()[ExifTags.Base.Orientation] = orientation(image)
    return colours


def read_header(path: str, content: bytes | None = None) -> Header:
    """What is known of an image without its pixels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no image; it is named.
    """
    image, wide, several = _read(path, content, 'image', header=True)
    width, height = image.size
    # Of a TIFF, Pillow turns the size itself.
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
    """Whether an image may be a copy of the one that was annotated.

    Smaller copies are, but for their rounding.

    Args:
        shape: Height and width, pixels.
        annotated: Those of the original.
    """
    factors = [
        side / whole for side, whole in zip(shape, annotated, strict=True)
    ]
    rounding = 1 / min(*shape, *annotated)
    return abs(factors[0] - factors[1]) <= rounding


def read_values(path: str, content: bytes | None = None) -> np.ndarray:
    """The numbers of an image as they stand in the file, not turned.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or no image; it is named.
    """
    return np.asarray(_read(path, content, 'image').image)


def read_label_map(path: str) -> np.ndarray:
    """int64 classes of pixels, (H, W), as they stand in the file.

    Turned as its EXIF data says. Colours are read where all three of a pixel
    are one number, and alpha where nothing is transparent.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or no image, or has colours where
            one number a pixel is wanted; it is named.
    """
    image = upright(_read(path, None, 'label image').image)
    classes = np.asarray(image)
    if classes.ndim == 3:
        classes = _one_channel(classes, image.mode, path)
    numbers = classes.astype(np.int64)
    if not np.array_equal(numbers, classes):
        raise ValueError(
            f'label image {printable(path)} has numbers that are not whole: '
            'save its classes as whole numbers'
        )
    return numbers


def _one_channel(classes: np.ndarray, mode: str, path: str) -> np.ndarray:
    """The number of each pixel that is stored as a grey colour."""
    colours = classes
    if mode in ('LA', 'RGBA') and (classes[..., -1] == 255).all():
        colours = classes[..., :-1]
    if (
        mode not in ('LA', 'RGB', 'RGBA')
        or (colours != colours[..., :1]).any()
    ):
        raise ValueError(
            f'label image {printable(path)} has {classes.shape[2]} channels: '
            'give one with a number or an entry of a palette for each pixel'
        )
    return colours[..., 0]


def read_mask(path: str, report: DataReport | None = None) -> np.ndarray:
    """uint8 (H, W), 1 where the file is white, 0 where it is black.

    Grey counts as white above 127, and what is transparent as black.

    Args:
        path: Of the file.
        report: Where grey is counted; None says it right away.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or no image, or has no hole, or
            nothing else, or colours beside what is transparent; it is named.
    """
    own = DataReport('mask') if report is None else report
    values, alpha = _mask_values(path)
    mask = (values > MASK_THRESHOLD).astype(np.uint8)
    if mask.all() or not mask.any():
        colour = 'white' if mask.all() else 'black'
        why = ', what its alpha makes transparent counts as black'
        raise ValueError(
            f'mask {printable(path)} is all {colour} (its values are '
            f'{values.min()} to {values.max()}, white is 255'
            f'{why if alpha else ""}): it must be white in the hole and '
            'black elsewhere'
        )
    if _between(values).any():
        own.note(
            'masks have grey pixels, which are a hole where they are above '
            f'{MASK_THRESHOLD}',
            path,
        )
    if report is None:
        own.tell()
    return mask


def _mask_values(path: str) -> tuple[np.ndarray, bool]:
    """uint8 (H, W), and whether alpha made some of it black."""
    image = upright(_read(path, None, 'mask').image)
    if image.mode[0] in 'IF' or not has_alpha(image):
        return to_rgb(image, None).max(axis=2), False
    rgba = np.asarray(image.convert('RGBA'))
    alpha, values = rgba[..., 3], rgba[..., :3].max(axis=2)
    opaque = alpha > MASK_THRESHOLD
    coloured = _between(values)[opaque]
    if not opaque.all() and coloured.any() and coloured.mean() > MOST_GREY:
        raise ValueError(
            f'mask {printable(path)} has an alpha channel with transparent '
            'pixels, and colours where it is opaque: give black and white, '
            'white in the hole, without alpha'
        )
    dark = (values.astype(np.uint16) * alpha // 255).astype(np.uint8)
    return dark, not opaque.all()


def _between(values: np.ndarray) -> np.ndarray:
    """Where pixels are neither black nor white, but for noise of JPEG."""
    return (values > NEAR) & (values < 255 - NEAR)


def _read(
    path: str, content: bytes | None, what: str, header: bool = False
) -> Decoded:
    """An image of Pillow; errors name the file."""
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
