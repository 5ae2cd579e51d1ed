"""Conversion of Pillow images of any mode to 8-bit RGB."""

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms

from .image_formats import exif_of

# Default (black, white) by mode: whole numbers of 16 bits, also if a format
# stores them in 32, and floats in [0, 1].
NATURAL = {'I': (0, 2**16 - 1), 'F': (0, 1)}
# How far floats may overshoot, as after sharpening; part of the range.
OVERSHOOT = 0.5
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Range = tuple[float, float]


def orientation(image: Image.Image) -> int:
    """Orientation by EXIF or XMP, 1 to 8; 1 if broken, as in viewers."""
    try:
        number = exif_of(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block raises many kinds
        return 1
    return number if number in TURNS else 1


def upright(image: Image.Image) -> Image.Image:
    """The image, turned as its EXIF data says."""
    turn = TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def has_alpha(image: Image.Image) -> bool:
    """Whether some of the image's pixels may be transparent."""
    return image.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or (
        'transparency' in image.info
    )


def to_rgb(image: Image.Image, value_range: Range | None) -> np.ndarray:
    """Convert to uint8 RGB, (H, W, 3); lay transparent pixels on white.

    Args:
        image: An image of any mode.
        value_range: (black, white) of images with more than 8 bits; None
            means (0, 65535), and (0, 1) for floats.

    Raises:
        ValueError: If values are not finite, or far outside the default
            range.
    """
    if image.mode[0] in 'IF':
        return np.repeat(_grey(image, value_range)[..., None], 3, axis=2)
    if image.mode == 'LAB':
        image = _from_lab(image)
    if has_alpha(image):
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        image = Image.alpha_composite(white, image)
    return np.array(image.convert('RGB'))  # a copy: Pillow's is read-only


def wide_image(content: bytes, value_range: Range) -> Image.Image | None:
    """An image file with 16-bit colours, scaled from a range to 8 bits.

    Pillow would keep only the high bytes.

    Args:
        content: The file's bytes.
        value_range: See :func:`to_rgb`.

    Returns:
        RGB or RGBA, not turned; None if OpenCV cannot read it.
    """
    values = cv2.imdecode(
        np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED
    )
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None
    colours = scaled(values[..., 2::-1].astype(np.float32), value_range)
    if values.shape[2] == 3:
        return Image.fromarray(colours)
    alpha = scaled(values[..., 3:].astype(np.float32), NATURAL['I'])
    return Image.fromarray(np.concatenate([colours, alpha], axis=2))


def scaled(values: np.ndarray, value_range: Range) -> np.ndarray:
    """Scale floats to uint8: a range to [0, 255], values outside clipped."""
    low, high = value_range
    parts = (values - low) * (255 / (high - low))
    return parts.round().clip(0, 255).astype(np.uint8)


def _grey(image: Image.Image, value_range: Range | None) -> np.ndarray:
    """uint8 (H, W) from an image of whole numbers or floats."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError('it has values that are not finite')
    if value_range is None:
        value_range = NATURAL[image.mode[0]]
        _check_natural(values, value_range)
    grey = scaled(values, value_range)
    transparent = image.info.get('transparency')
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return grey


def _check_natural(values: np.ndarray, value_range: Range) -> None:
    low, high = value_range
    room = OVERSHOOT * (high - low)
    if values.min() < low - room or values.max() > high + room:
        raise ValueError(
            f'its values are {values.min():g} to {values.max():g}, expected '
            f'{low} to {high}: set value_range=(BLACK, WHITE) of LoadImage'
        )


def _from_lab(image: Image.Image) -> Image.Image:
    """LAB to RGB, which Pillow's ``convert`` does not offer."""
    return ImageCms.profileToProfile(
        image,
        ImageCms.createProfile('LAB'),
        ImageCms.createProfile('sRGB'),
        outputMode='RGB',
    )
