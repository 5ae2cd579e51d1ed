"""Agreement of an enlarged image with the small one."""

import torch.nn.functional as F
from torch import Tensor

from mmldm.utils.pixels import to_uint8


def back_project(images: Tensor, small: Tensor, steps: int) -> Tensor:
    """Adapt large images so that, shrunk again, they nearly equal small ones.

    Each step shrinks the images, compares them with the small ones, and adds
    the enlarged difference: iterative back-projection, Irani and Peleg 1991.
    It changes coarse structures and colours, and leaves fine detail as it is.
    Both resizings are bicubic, without aliasing.

    Args:
        images: Large images, uint8, (B, C, H, W).
        small: Small images, uint8, (B, C, h, w).
        steps: Number of steps.

    Returns:
        uint8, (B, C, H, W).
    """
    x, target = images.float(), small.float()
    for _ in range(steps):
        x = x + _resized(target - _resized(x, small), images)
    return to_uint8(x)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """Images resized to height and width of others, bicubic."""
    return F.interpolate(
        x, like.shape[2:], mode='bicubic', antialias=True, align_corners=False
    )
