"""Feature maps as sequences of square patches, and back."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def patchify(x: Tensor, patch_size: int) -> Tensor:
    """Flatten patches, (B, C, h, w) -> (B, L, C * patch_size^2), row by row.

    A patch holds one channel after another, each row by row, in the order of a
    convolution's weights. ``patch_size`` must divide h and w.
    """
    return F.pixel_unshuffle(x, patch_size).flatten(2).transpose(1, 2)


def unpatchify(tokens: Tensor, grid: Sequence[int], patch_size: int) -> Tensor:
    """The inverse of :func:`patchify`.

    Args:
        tokens: Flattened patches, (B, L, C * patch_size^2).
        grid: Rows and columns of patches; their product is L.
        patch_size: Side of a patch.
    """
    patches = tokens.transpose(1, 2).unflatten(2, tuple(grid))
    return F.pixel_shuffle(patches, patch_size)
