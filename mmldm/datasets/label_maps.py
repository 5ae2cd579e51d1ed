"""Reading of images whose values are classes."""

import numpy as np
from PIL import Image

from .image_files import read_by_pillow
from .pixel_values import upright
from .report import printable


def read_label_map(path: str) -> np.ndarray:
    """Read the class of each pixel, int64 (H, W); see :func:`label_map_of`.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is damaged or no label map; it is named.
    """
    return label_map_of(read_by_pillow(path, None, 'label image').image, path)


def label_map_of(image: Image.Image, name: str) -> np.ndarray:
    """The class of each pixel, int64 (H, W).

    The map is turned as its EXIF data says. Colours are accepted if the three
    values of each pixel are equal, and alpha if nothing is transparent.

    Args:
        image: The map.
        name: Its name, for errors.

    Raises:
        ValueError: If the map has colours or fractions instead of one whole
            number a pixel; it is named.
    """
    image = upright(image)
    classes = np.asarray(image)
    if classes.ndim == 3:
        classes = _one_channel(classes, image.mode, name)
    numbers = classes.astype(np.int64)
    if not np.array_equal(numbers, classes):
        raise ValueError(
            f'label image {printable(name)} has numbers that are not whole: '
            'save its classes as whole numbers'
        )
    return numbers


def _one_channel(classes: np.ndarray, mode: str, path: str) -> np.ndarray:
    """The class of each pixel if classes are stored as grey colours."""
    colours = classes
    if mode in ('LA', 'RGBA') and (classes[..., -1] == 255).all():
        colours = classes[..., :-1]
    if (
        mode not in ('LA', 'RGB', 'RGBA')
        or (colours != colours[..., :1]).any()
    ):
        raise ValueError(
            f'label image {printable(path)} has {classes.shape[2]} channels: '
            'give one with a single number or palette entry for each pixel'
        )
    return colours[..., 0]
