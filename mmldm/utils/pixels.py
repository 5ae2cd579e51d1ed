"""What a pixel is for a network."""

from torch import Tensor


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 in [0, 255] -> float32 in [-1, 1], of the same shape."""
    return images.float() / 127.5 - 1
