"""Mean and standard deviation of many samples, pooled from moments."""

import torch
from torch import Tensor


def sample_moments(z: Tensor) -> Tensor:
    """Count, mean and sum of squares for each channel of each sample.

    The squares are about the mean: with squares about 0, float64 would lose a
    deviation of 1e-8 times the mean.

    Args:
        z: Values, (B, C, ...).

    Returns:
        Count, mean and sum of squares about the mean, (B, C, 3), float64 on
        the CPU.
    """
    values = z.flatten(2).cpu().double()
    mean = values.mean(2)
    squares = (values - mean[..., None]).square().sum(2)
    count = torch.full_like(mean, values.shape[2])
    return torch.stack([count, mean, squares], dim=2)


def pooled_moments(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of all values of the samples.

    Chan et al. 1983 (Algorithms for computing the sample variance) join two
    samples; here, it is any number.

    Args:
        moments: Moments of N samples, (N, ..., 3); see
            :func:`sample_moments`.

    Returns:
        Mean and standard deviation, both (...).
    """
    count, mean, squares = moments.unbind(-1)
    total = count.sum(0)
    pooled = (count * mean).sum(0) / total
    squares = squares + count * (mean - pooled).square()
    return pooled, (squares.sum(0) / total).sqrt()
