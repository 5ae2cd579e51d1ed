"""Mean and covariance of features, summed without any rounding error."""

import torch
from mmengine.dist import all_reduce
from scipy.linalg import eigh
from torch import Tensor

# Features are rounded to multiples of 2^-20: an error below 5e-7 each, of
# which a distance keeps less than 1e-6.
DIGITS = 20
# Whole numbers up to 2^53 are exact in float64; sums of them in int64 stay
# clear of its end.
EXACT, LARGEST_SUM = 2.0**53, 2**62


class FeatureMoments:
    """Count, sum and sum of products of the features of many images.

    They are whole numbers in units of 2^-20 and 2^-40, so that no sum
    depends on the order, the batches or the number of processes that
    features come in.

    Args:
        num_features: D.
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
            ValueError: If they are not finite, or so large that their sums
                would not be exact.
        """
        if not features.isfinite().all():
            raise ValueError('features are not finite: an image is damaged')
        whole = (features.double().cpu() * 2**DIGITS).round()
        for rows in whole.split(self._exact_rows(whole)):
            self.second += (rows.T @ rows).to(torch.int64)
        self.first += whole.sum(0).to(torch.int64)
        self.count += len(whole)
        if self.second.diagonal().max() > LARGEST_SUM:
            raise ValueError(
                f'features of {self.count} images are too large for exact '
                'sums: judge fewer images, or scale the features'
            )

    def reduce(self) -> None:
        """Add up the sums of all processes, on each of them."""
        for name in ('count', 'first', 'second'):
            value = getattr(self, name)
            all_reduce(value, 'sum')

    @property
    def mean(self) -> Tensor:
        """(D,), float64."""
        return self.first.double() / 2**DIGITS / self.count

    @property
    def covariance(self) -> Tensor:
        """(D, D), float64, of N - 1 degrees of freedom.

        Raises:
            ValueError: If there are fewer than two images.
        """
        if self.count < 2:
            raise ValueError(
                f'a covariance needs two images or more, got {self.count}'
            )
        # The products of the means are subtracted from exact sums: what is
        # lost by it is 1e-16 of the larger ones.
        products = torch.outer(self.mean, self.mean) * self.count
        centred = self.second.double() / 4**DIGITS - products
        return centred / (self.count - 1)

    @staticmethod
    def _exact_rows(whole: Tensor) -> int:
        """How many rows may be multiplied at once, in float64."""
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

    Heusel et al. 2017 (arXiv:1706.08500), eq. 6. The trace of the root of
    both covariances' product is the sum of the singular values of the
    product of their roots, which loses no digits where a covariance has not
    full rank. Two equal sets have 0.

    Raises:
        ValueError: If a set has fewer than two images.
    """
    gap = (moments.mean - other.mean).square().sum()
    roots = [_root(m) for m in (moments, other)]
    spread = sum(root.square().sum() for root in roots)
    shared = torch.linalg.svdvals(roots[0].T @ roots[1]).sum()
    return max(float(gap + spread - 2 * shared), 0.0)


def _root(moments: FeatureMoments) -> Tensor:
    """R with R R^T = covariance, (D, rank)."""
    covariance = moments.covariance.numpy()
    size = len(covariance)
    # N images span N - 1 directions: what is found in others is rounding.
    rank = min(int(moments.count) - 1, size)
    # By LAPACK's driver that finds many equal eigenvalues: torch's does not
    # always converge for few images.
    values, vectors = eigh(
        covariance, driver='evr', subset_by_index=(size - rank, size - 1)
    )
    return torch.from_numpy(vectors * values.clip(min=0) ** 0.5)
