"""The step of exponential integrators, and of which order it may be.

With lambda = log(alpha / sigma) a step is, exactly, ``z / sigma`` plus the
integral of e^lambda z_0(lambda); Lu et al. 2022, prop. 4.1
(arXiv:2211.01095). The solvers put a polynomial through their estimates.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..functional import NoiseLevel
from .solver import Estimate

# Steps in lambda, in units of the mean of those that an order looks back on,
# up to which that order is no worse than DDIM; by order.
LONGEST = {2: 2.0, 3: 1.25}


def exponential_step(
    z: Tensor,
    past: Sequence[Estimate],
    nxt: NoiseLevel,
    arrived: Tensor | None = None,
    exponent: int = 1,
    curvature: float = 1.0,
) -> Tensor:
    """A step of len(past)-th order, higher with the estimate at its end.

    Args:
        z: Latent at ``past[0]``'s level, (B, C, h, w).
        past: Levels and estimates, that of z first.
        nxt: Where the step leads.
        arrived: Estimate at nxt, (B, C, h, w), where known.
        exponent: The integral is that of e^(exponent lambda) z_0(lambda).
        curvature: Factor on what a third estimate adds; 1 is exact.
    """
    cur, z_0 = past[0]
    width = exponent * (nxt.log_snr - cur.log_snr) / 2
    # Infinitely far away are pure noise and, from the clean level, all; a
    # step that leads nowhere has no unit of distance.
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
    """Weights of the divided differences between these places and 0.

    With them every polynomial of that degree has its exact mean over [0, 1]
    under the density e^(width x), as in Zhao et al. 2023. A single one is
    1/2 as theirs and as in DPM-Solver++ 2M: the order is the same.

    Args:
        places: In units of the step, which leads from 0 to 1; != 0.
        width: Of the step in lambda, > 0, ().
        curvature: Factor on the mean of squares.
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
    """The most estimates with which a step may extrapolate, >= 1.

    A polynomial is wrong far from where it was put through: the longer the
    step is than those before it, the lower must its order be. Grids of equal
    times end with steps that grow in lambda by 2 to 9 each; with 10 of them
    order 3 ends 20 times as far from a mixture of Gaussians as DDIM does.
    Grids of equal steps in log-SNR keep every order.

    Args:
        past: Levels and estimates, the newest first.
        nxt: Where the step leads.
    """
    log_snr = [level.log_snr for level, _ in past if level.alpha > 0]
    step = nxt.log_snr - past[0][0].log_snr
    for order in range(len(log_snr), 1, -1):
        before = log_snr[0] - log_snr[order - 1]
        if step <= LONGEST[order] * before / (order - 1):
            return order
    return 1


def check_order(order: int, orders: Sequence[int]) -> None:
    """Raise unless ``order`` is one of these."""
    if order not in orders:
        *others, last = map(str, orders)
        raise ValueError(
            f'order={order!r} must be {", ".join(others)} or {last}'
        )
