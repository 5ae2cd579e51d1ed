"""Smooth filling of holes in images, and blending of their content."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.utils.pixels import to_uint8

# Jacobi sweeps at each size. Coarse sizes already connect distant pixels.
SWEEPS = 4
TINY = 1e-6


def fill_smoothly(images: Tensor, holes: Tensor) -> Tensor:
    """Fill every hole smoothly from the pixels around it.

    The result approximates the solution of Laplace's equation (Perez et al.
    2003, "Poisson Image Editing", without guidance field), from coarse to
    fine.

    Args:
        images: (B, C, H, W); pixels in the holes are ignored.
        holes: bool (B, 1, H, W). An image without known pixels becomes 0.

    Returns:
        (B, C, H, W), with the known pixels unchanged.
    """
    known = (~holes).to(images.dtype)
    values = images.masked_fill(holes, 0)
    coarse = None
    if max(images.shape[2:]) > 1:
        coarse = _fill_mean(values, known)
    return torch.where(holes, _relax(values, known, coarse), images)


def blend(images: Tensor, known: Tensor, holes: Tensor) -> Tensor:
    """Adapt images in their holes, so that they continue the known pixels.

    The difference between both images around a hole is continued smoothly
    into it, and added: colours meet at its edge, and detail inside stays.
    Perez et al. 2003, "Poisson Image Editing", section 3.

    Args:
        images: Generated images, uint8, (B, C, H, W).
        known: Images with the known pixels, uint8, (B, C, H, W).
        holes: bool (B, 1, H, W).

    Returns:
        uint8, (B, C, H, W), with the known pixels.
    """
    x = images.float()
    x = x + fill_smoothly(known.float() - x, holes)
    return to_uint8(x)


def _fill_mean(values: Tensor, known: Tensor) -> Tensor:
    """Fill at half the size with means of the known ones of four pixels."""
    values, known = (
        F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
        for x in (values, known)
    )
    means = values / known.clamp_min(TINY)
    return fill_smoothly(means, known == 0)


def _relax(values: Tensor, known: Tensor, coarse: Tensor | None) -> Tensor:
    """Replace each unknown pixel by the mean of its neighbours, in sweeps."""
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
