"""Conversion of pixels for networks."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# Statistics of CLIP's training images, RGB in [0, 1] (Radford et al. 2021).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 in [0, 255] -> float32 in [-1, 1], in the same shape."""
    return images.float() / 127.5 - 1


def to_uint8(values: Tensor) -> Tensor:
    """Grey levels, float, -> uint8, rounded and limited to [0, 255]."""
    return values.round().clamp(0, 255).to(torch.uint8)


def bicubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by Pillow's bicubic kernel, which avoids aliasing.

    Args:
        image: uint8 (h, w, 3).
        height: New height, pixels.
        width: New width, pixels.

    Returns:
        uint8 (height, width, 3).
    """
    pixels = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(pixels.resize((width, height), Image.Resampling.BICUBIC))


def clip_crop(image: np.ndarray, size: int) -> np.ndarray:
    """The part of an image that CLIP sees: the square in its centre.

    Args:
        image: uint8 (H, W, 3).
        size: Side of the square, to which the image is scaled.

    Returns:
        uint8 (size, size, 3); the image itself if it has this size already.
    """
    sides = image.shape[:2]
    # CLIP truncates the longer side, where ResizeShorterSide rounds.
    image = bicubic(image, *(size * side // min(sides) for side in sides))
    top, left = ((side - size) // 2 for side in image.shape[:2])
    return image[top : top + size, left : left + size]


def clip_pixels(image: np.ndarray, size: int) -> Tensor:
    """The input of CLIP's vision model, as transformers prepares it.

    Args:
        image: uint8 RGB (H, W, 3).
        size: Input size of the model, pixels.

    Returns:
        float32 (3, size, size).
    """
    values = clip_crop(image, size) / 255 - np.array(CLIP_MEAN)
    values = (values / np.array(CLIP_STD)).astype(np.float32)
    return torch.from_numpy(values).permute(2, 0, 1)
