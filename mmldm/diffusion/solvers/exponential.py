"""The step of exponential integrators, and its safe order.

With lambda = log(alpha / sigma), an exact step adds the integral of
e^lambda z_0(lambda) to ``z / sigma``; Lu et al. 2022, prop. 4.1
(arXiv:2211.01095). The solvers approximate z_0 by a polynomial through their
estimates.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..functional import NoiseLevel
from .solver import Estimate

# By order: the longest step in lambda for which this order is no worse than
# DDIM, in units of the mean of the previous steps that it uses.
LONGEST = {2: 2.0, 3: 1.25}


def exponential_step(
    z: Tensor,
    past: Sequence[Estimate],
    nxt: NoiseLevel,
    arrived: Tensor | None = None,
    exponent: int = 1,
    curvature: float = 1.0,
) -> Tensor:
    """A step of order len(past), one higher with the estimate at its end.

    Args:
        z: Latent at the level ``past[0]``, (B, C, h, w).
        past: Levels and estimates, those of z first.
        nxt: Level at the end of the step.
        arrived: Estimate at nxt, (B, C, h, w), if known.
        exponent: Factor of lambda in the integral of
            e^(exponent lambda) z_0(lambda).
        curvature: Factor of the third estimate's contribution; 1 is exact.
    """
    cur, z_0 = past[0]
    width = exponent * (nxt.log_snr - cur.log_snr) / 2
    # The distance in log-SNR is infinite to pure noise and to the clean
    # level; a step of length 0 has no unit of distance.
    finite = nxt.sigma > 0 and nxt.log_snr > cur.log_snr
    others = [
        (level, estimate)
        for level, estimate in past[1:]
        if level.alpha > 0 and finite
    ]
    if arrived is not None:
        others.append((nxt, arrived))
    places = [
        (level.log_snr - cur.log_snr) / (nxt.log_snr - cur.log_snr)
        for level, _ in others
    ]
    mean = z_0
    for (_, other), place, weight in zip(
        others, places, _weights(places, width, curvature), strict=True
    ):
        mean = mean + weight / place * (other - z_0)
    keep = nxt.sigma / cur.sigma
    if exponent == 2:
        keep = keep * torch.exp(-width / 2)
    return keep * z - nxt.alpha * torch.expm1(-width) * mean


def _weights(
    places: Sequence[Tensor], width: Tensor, curvature: float
) -> Sequence[Tensor | float]:
    """Weights of the divided differences between ``places`` and 0.

    They give the exact mean over [0, 1] with the density e^(width x) for every
    polynomial of that degree, as in Zhao et al. 2023. A single weight is 1/2,
    as theirs and as in DPM-Solver++ 2M; the order is the same.

    Args:
        places: Positions in units of the step, which leads from 0 to 1; not 0.
        width: Length of the step in lambda, > 0, ().
        curvature: Factor of the mean of squares.
    """
    if len(places) < 2:
        return [0.5] * len(places)
    first = -torch.expm1(-width)
    moments = [first]
    for power in range(1, len(places) + 1):
        moments.append(1 - power * moments[-1] / width)
    moments[2] = curvature * moments[2]
    powers = torch.vander(torch.stack(places), increasing=True).T
    return torch.linalg.solve(powers, torch.stack(moments[1:]) / first)


def safe_order(past: Sequence[Estimate], nxt: NoiseLevel) -> int:
    """The largest number of estimates for a step's extrapolation, >= 1.

    A polynomial is wrong far from its points: the longer a step is relative to
    those before it, the lower its order must be. On grids of equal times, the
    last steps grow by factors of 2 to 9 in lambda; with 10 steps, the error of
    order 3 for a mixture of Gaussians is 20 times that of DDIM. Grids with
    equal steps in log-SNR keep every order.

    Args:
        past: Levels and estimates, the newest first.
        nxt: Level at the end of the step.
    """
    log_snr = [level.log_snr for level, _ in past if level.alpha > 0]
    step = nxt.log_snr - past[0][0].log_snr
    for order in range(len(log_snr), 1, -1):
        before = log_snr[0] - log_snr[order - 1]
        if step <= LONGEST[order] * before / (order - 1):
            return order
    return 1


def check_order(order: int, orders: Sequence[int]) -> None:
    """Raise unless ``order`` is in ``orders``."""
    if order not in orders:
        *others, last = map(str, orders)
        raise ValueError(
            f'order={order!r} must be {", ".join(others)} or {last}'
        )
