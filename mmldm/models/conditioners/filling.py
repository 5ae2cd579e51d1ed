"""What a hole may be filled with before anything is drawn there."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Of Jacobi at each size: the coarse sizes have brought far pixels together.
SWEEPS = 4
TINY = 1e-6


def fill_smoothly(images: Tensor, holes: Tensor) -> Tensor:
    """A membrane over every hole, held by the pixels around it.

    The solution of Laplace's equation (Perez et al. 2003, "Poisson Image
    Editing", with no guidance field), from coarse to fine, approximately.

    Args:
        images: (B, C, H, W); what is in the holes is not looked at.
        holes: bool (B, 1, H, W). Without any known pixel all is 0.

    Returns:
        (B, C, H, W), the known pixels as they were.
    """
    known = (~holes).to(images.dtype)
    values = images.masked_fill(holes, 0)
    coarse = None
    if max(images.shape[2:]) > 1:
        coarse = _fill_mean(values, known)
    return torch.where(holes, _relax(values, known, coarse), images)


def _fill_mean(values: Tensor, known: Tensor) -> Tensor:
    """Half the size, filled: what is known of four pixels is their mean."""
    values, known = (
        F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
        for x in (values, known)
    )
    means = values / known.clamp_min(TINY)
    return fill_smoothly(means, known == 0)


def _relax(values: Tensor, known: Tensor, coarse: Tensor | None) -> Tensor:
    """Each unknown pixel as the mean of its four neighbours, by sweeps."""
    if coarse is None:
        return values
    x = F.interpolate(coarse, values.shape[2:], mode='bilinear')
    for _ in range(SWEEPS):
        x = torch.lerp(_mean_of_neighbours(x), values, known)
    return x


def _mean_of_neighbours(x: Tensor) -> Tensor:
    padded = F.pad(x, (1, 1, 1, 1), mode='replicate')
    rows, columns = padded[..., 1:-1], padded[..., 1:-1, :]
    return (
        rows[..., :-2, :] + rows[..., 2:, :] + columns[..., :-2]
    ) / 4 + columns[..., 2:] / 4
