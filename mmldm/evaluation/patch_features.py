"""Image features that need no trained network."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 5
LAYOUT = 8
# Pixels; smaller levels of the pyramid add no information.
MIN_SIDE = 16
# Largest number of components, and largest share of variance to keep.
MOST = 32
SHARE = 0.99
BATCH = 32


class PatchFeatures:
    """Principal components of real images and of their patches.

    An image has two kinds of features. *Layout* is the image shrunk to 8x8
    pixels, which shows the places of colours. *Patterns* measure texture and
    sharpness: for the image and each of its halvings down to 16 pixels, the
    strength of patterns of 5x5 pixels, which is the mean of their absolute
    values over all places. Both are projected to the principal components of
    the real images, each divided by its deviation so that all count equally.
    This is the first stage of PCANet (Chan et al. 2015, arXiv:1404.3606) on a
    pyramid.

    Args:
        images: Real images, uint8 (3, H, W), all of one size, with sides of
            at least 16 pixels.
    """

    def __init__(self, images: Sequence[Tensor]) -> None:
        self.size = tuple(images[0].shape)
        if min(self.size[1:]) < MIN_SIDE:
            raise ValueError(
                f'PatchFeatures expects sides of at least {MIN_SIDE} pixels, '
                f'got (H, W) = {self.size[1:]}: use larger images'
            )
        layouts = torch.cat([_layout(x) for x in _batches(images)])
        self.mean = layouts.mean(0)
        self.layouts = _components((layouts - self.mean).T.cov())
        self.patterns = [
            _components(covariance) for covariance in _covariances(images)
        ]

    def __call__(self, images: Sequence[Tensor]) -> Tensor:
        """Compute the features, (N, D), float64.

        Args:
            images: uint8 (3, H, W), with the size of the real images.

        Raises:
            ValueError: If an image has another size.
        """
        for image in images:
            if tuple(image.shape) != self.size:
                raise ValueError(
                    f'an image has the shape {tuple(image.shape)}, but the '
                    f'real images have {self.size}: give both one size'
                )
        return torch.cat([self._features(x) for x in _batches(images)])

    def _features(self, x: Tensor) -> Tensor:
        """Features (B, D) of images (B, 3, H, W)."""
        columns = [(_layout(x) - self.mean) @ self.layouts]
        for level, patterns in zip(_pyramid(x), self.patterns, strict=True):
            kernels = patterns.T.reshape(-1, 3, PATCH, PATCH)
            strength = F.conv2d(level, kernels.to(level)).abs()
            columns.append(strength.mean((2, 3)).double())
        return torch.cat(columns, dim=1)


class PatchDistance:
    """Distance of images to real ones, pair by pair, in patch features.

    It is the mean squared difference of a feature, in variances of the real
    images' features: 0 for equal images, about 2 for unrelated ones.

    Args:
        images: The real images, each once; see :class:`PatchFeatures`.

    Raises:
        ValueError: If there are fewer than two, which have no variance.
    """

    def __init__(self, images: Sequence[Tensor]) -> None:
        if len(images) < 2:
            raise ValueError(
                f'PatchDistance got {len(images)} real image, expected 2 or '
                'more: raise the number of images of test_dataloader'
            )
        self.features = PatchFeatures(images)
        rows = self.features(images)
        self.spread = rows.std(0).clamp(min=1e-6)
        #: Features of the real images, in their deviations.
        self.rows = rows / self.spread

    def scaled(self, images: Sequence[Tensor]) -> Tensor:
        """Features of images in deviations of the real ones, (N, D)."""
        return self.features(images) / self.spread

    def __call__(
        self, images: Sequence[Tensor], truths: Sequence[int]
    ) -> float:
        """The mean distance of images to real ones.

        Args:
            images: The images.
            truths: The number of each one's real image.
        """
        error = self.scaled(images) - self.rows[[*truths]]
        return float(error.square().mean())


def _batches(images: Sequence[Tensor]):
    """Batches of the images, (B, 3, H, W), in [0, 1]."""
    for i in range(0, len(images), BATCH):
        yield torch.stack([*images[i : i + BATCH]]).cpu().float() / 255


def _layout(x: Tensor) -> Tensor:
    """Images shrunk to 8x8 pixels, (B, 192)."""
    return F.adaptive_avg_pool2d(x, LAYOUT).flatten(1).double()


def _pyramid(x: Tensor):
    """The images and their halvings, down to ``MIN_SIDE``."""
    while min(x.shape[2:]) >= MIN_SIDE:
        yield x
        x = F.avg_pool2d(x, 2)


def _covariances(images: Sequence[Tensor]) -> list[Tensor]:
    """Covariance of all patches minus mean colour, for each level."""
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
    """Principal directions, scaled to variance 1, (D, kept)."""
    variances, axes = torch.linalg.eigh(covariance)
    variances, axes = variances.flip(0), axes.flip(1)
    shares = variances.cumsum(0) / variances.sum()
    kept = min(MOST, int((shares < SHARE).sum()) + 1)
    return axes[:, :kept] / variances[:kept].sqrt()
