"""Mean and covariance of features, from sums without rounding error."""

import torch
from mmengine.dist import all_reduce
from scipy.linalg import eigh
from torch import Tensor

# Features are rounded to multiples of 2^-18, an error below 2e-6 each; the
# resulting error of a distance is below 1e-6.
DIGITS = 18
# Whole numbers up to 2^53 are exact in float64, and sums up to 2^62 in int64.
EXACT, LARGEST_SUM = 2.0**53, 2**62


class FeatureMoments:
    """Count, sum and sum of products of the features of many images.

    They are whole numbers in units of 2^-18 and 2^-36. The sums do not depend
    on the order of features, the batches or the number of processes.

    Args:
        num_features: Number of features of an image, D.
    """

    def __init__(self, num_features: int) -> None:
        self.count = torch.zeros((), dtype=torch.int64)
        self.first = torch.zeros(num_features, dtype=torch.int64)
        self.second = torch.zeros(
            num_features, num_features, dtype=torch.int64
        )

    def add(self, features: Tensor) -> None:
        """Add features, (N, D).

        Raises:
            ValueError: If features are not finite, or too large for exact
                sums.
        """
        if not features.isfinite().all():
            raise ValueError('features are not finite: check the images')
        whole = (features.double().cpu() * 2**DIGITS).round()
        for rows in whole.split(self._exact_rows(whole)):
            self.second += (rows.T @ rows).to(torch.int64)
        self.first += whole.sum(0).to(torch.int64)
        self.count += len(whole)
        self._check_sums(self.second.diagonal())

    def reduce(self) -> None:
        """Add the sums of all processes, on every process.

        Raises:
            ValueError: If they are too large, on every process.
        """
        # float64 shows an overflow, where int64 would begin anew.
        largest = self.second.diagonal().double()
        for value in (self.count, self.first, self.second, largest):
            all_reduce(value, 'sum')
        self._check_sums(largest)

    def _check_sums(self, largest: Tensor) -> None:
        """Raise if sums of squares are too large."""
        if largest.max() > LARGEST_SUM:
            raise ValueError(
                f'features of {self.count} images are too large for exact '
                'sums: use fewer images, or scale the features'
            )

    @property
    def mean(self) -> Tensor:
        """Mean of the features, (D,), float64."""
        return self.first.double() / 2**DIGITS / self.count

    @property
    def covariance(self) -> Tensor:
        """Covariance with N - 1 degrees of freedom, (D, D), float64.

        Raises:
            ValueError: If there are fewer than two images.
        """
        if self.count < 2:
            raise ValueError(
                f'a covariance needs two images or more, got {self.count}'
            )
        # Products of means are subtracted from exact sums, with an error of
        # 1e-16 times the larger of them.
        products = torch.outer(self.mean, self.mean) * self.count
        centred = self.second.double() / 4**DIGITS - products
        return centred / (self.count - 1)

    @staticmethod
    def _exact_rows(whole: Tensor) -> int:
        """Number of rows whose products are exact in float64."""
        largest = float(whole.abs().max()) if whole.numel() else 0
        rows = int(EXACT / max(largest, 1) ** 2)
        if not rows:
            raise ValueError(
                f'a feature of {largest / 2**DIGITS:.3g} is too large for '
                'exact sums: scale the features of your network'
            )
        return rows


def moments_distance(moments: FeatureMoments, other: FeatureMoments) -> float:
    """Squared Frechet distance of the Gaussians with these moments.

    Heusel et al. 2017 (arXiv:1706.08500), eq. 6. The trace of the root of the
    covariances' product is the sum of the singular values of the product of
    their roots, which is accurate even without full rank. Two equal sets have
    the distance 0.

    Raises:
        ValueError: If a set has fewer than two images.
    """
    gap = (moments.mean - other.mean).square().sum()
    roots = [_root(m) for m in (moments, other)]
    spread = sum(root.square().sum() for root in roots)
    shared = torch.linalg.svdvals(roots[0].T @ roots[1]).sum()
    return max(float(gap + spread - 2 * shared), 0.0)


def _root(moments: FeatureMoments) -> Tensor:
    """A root R of the covariance R R^T, (D, rank)."""
    covariance = moments.covariance.numpy()
    size = len(covariance)
    # N images span N - 1 directions; all others hold only rounding errors.
    rank = min(int(moments.count) - 1, size)
    # LAPACK's driver for many equal eigenvalues: torch's does not always
    # converge for few images.
    values, vectors = eigh(
        covariance, driver='evr', subset_by_index=(size - rank, size - 1)
    )
    return torch.from_numpy(vectors * values.clip(min=0) ** 0.5)
