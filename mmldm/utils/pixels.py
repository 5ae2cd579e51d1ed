"""What a pixel is for a network."""

import numpy as np
from PIL import Image
from torch import Tensor


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 in [0, 255] -> float32 in [-1, 1], of the same shape."""
    return images.float() / 127.5 - 1


def bicubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's, whose kernel widens where it shrinks.

    Args:
        image: uint8 (h, w, 3).
        height: Wanted.
        width: Wanted.

    Returns:
        uint8 (height, width, 3).
    """
    pixels = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(pixels.resize((width, height), Image.Resampling.BICUBIC))
