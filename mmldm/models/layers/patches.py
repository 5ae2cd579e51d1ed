"""Feature maps as sequences of square patches, and back."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def patchify(x: Tensor, patch_size: int) -> Tensor:
    """(B, C, h, w) -> (B, L, C * patch_size^2), row by row.

    A patch has its channels one after the other, each row by row, which is
    the order of a convolution's weights; ``patch_size`` divides h and w.
    """
    return F.pixel_unshuffle(x, patch_size).flatten(2).transpose(1, 2)


def unpatchify(tokens: Tensor, grid: Sequence[int], patch_size: int) -> Tensor:
    """The inverse of :func:`patchify`.

    Args:
        tokens: (B, L, C * patch_size^2).
        grid: Rows and columns of patches, which are L in all.
        patch_size: Side of a patch.
    """
    patches = tokens.transpose(1, 2).unflatten(2, tuple(grid))
    return F.pixel_shuffle(patches, patch_size)
