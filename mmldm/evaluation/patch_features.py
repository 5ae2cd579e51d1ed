"""Features of images that need no trained network."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 5
LAYOUT = 8
# Patches of an image that is made smaller than this say nothing new.
MIN_SIDE = 16
# Components that are kept: so many, and no more than hold this part of the
# variance.
MOST = 32
SHARE = 0.99
BATCH = 32


class PatchFeatures:
    """Principal components of real images and of their patches.

    The features of an image: the image made as small as 8x8 pixels, which
    says what colour is where; and of the image and of each of its halvings
    down to 16 pixels how strongly the patterns of 5x5 pixels occur in it, the
    mean of their absolute values over all places: texture and edges, whether
    sharp or smeared. Patterns and layouts are the principal components of the
    real images, each divided by its deviation: all count alike. After PCANet
    (Chan et al. 2015, arXiv:1404.3606), of which it is the first stage on a
    pyramid.

    Args:
        images: Real ones, uint8 (3, H, W), all of one size, at least 16 a
            side.
    """

    def __init__(self, images: Sequence[Tensor]) -> None:
        self.size = tuple(images[0].shape)
        if min(self.size[1:]) < MIN_SIDE:
            raise ValueError(
                f'PatchFeatures needs images of {MIN_SIDE} pixels a side, got '
                f'(H, W) = {self.size[1:]}: judge larger images'
            )
        layouts = torch.cat([_layout(x) for x in _batches(images)])
        self.mean = layouts.mean(0)
        self.layouts = _components((layouts - self.mean).T.cov())
        self.patterns = [
            _components(covariance) for covariance in _covariances(images)
        ]

    def __call__(self, images: Sequence[Tensor]) -> Tensor:
        """(N, D), float64.

        Args:
            images: uint8 (3, H, W), of the size of the real ones.

        Raises:
            ValueError: If one is of another size.
        """
        for image in images:
            if tuple(image.shape) != self.size:
                raise ValueError(
                    f'an image has the shape {tuple(image.shape)}, but those '
                    f'it is compared with {self.size}: give both one size'
                )
        return torch.cat([self._features(x) for x in _batches(images)])

    def _features(self, x: Tensor) -> Tensor:
        """Of images (B, 3, H, W)."""
        columns = [(_layout(x) - self.mean) @ self.layouts]
        for level, patterns in zip(_pyramid(x), self.patterns, strict=True):
            kernels = patterns.T.reshape(-1, 3, PATCH, PATCH)
            strength = F.conv2d(level, kernels.to(level)).abs()
            columns.append(strength.mean((2, 3)).double())
        return torch.cat(columns, dim=1)


def _batches(images: Sequence[Tensor]):
    """Images in [0, 1], (B, 3, H, W), few at a time."""
    for i in range(0, len(images), BATCH):
        yield torch.stack([*images[i : i + BATCH]]).cpu().float() / 255


def _layout(x: Tensor) -> Tensor:
    """(B, 192)."""
    return F.adaptive_avg_pool2d(x, LAYOUT).flatten(1).double()


def _pyramid(x: Tensor):
    """The images and their halvings."""
    while min(x.shape[2:]) >= MIN_SIDE:
        yield x
        x = F.avg_pool2d(x, 2)


def _covariances(images: Sequence[Tensor]) -> list[Tensor]:
    """Of all patches, without their mean colours, for each level."""
    sums: dict[int, Tensor] = {}
    counts: dict[int, int] = {}
    for x in _batches(images):
        for k, level in enumerate(_pyramid(x)):
            patches = F.unfold(level, PATCH)
            patches = patches.unflatten(1, (3, -1))
            patches = (patches - patches.mean(2, keepdim=True)).flatten(1, 2)
            rows = patches.transpose(1, 2).flatten(0, 1)
            sums[k] = sums.get(k, 0) + (rows.T @ rows).double()
            counts[k] = counts.get(k, 0) + len(rows)
    return [sums[k] / counts[k] for k in sums]


def _components(covariance: Tensor) -> Tensor:
    """Directions whose values have the variance 1, (D, kept)."""
    variances, axes = torch.linalg.eigh(covariance)
    variances, axes = variances.flip(0), axes.flip(1)
    shares = variances.cumsum(0) / variances.sum()
    kept = min(MOST, int((shares < SHARE).sum()) + 1)
    return axes[:, :kept] / variances[:kept].sqrt()
