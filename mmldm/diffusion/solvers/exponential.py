"""Exponential integrators: exact but for the estimate's course.

With lambda = log(alpha / sigma) a step is, exactly, ``z / sigma`` plus the
integral of e^lambda z_0(lambda); Lu et al. 2022, prop. 4.1
(arXiv:2211.01095). The solvers put a polynomial through their estimates.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel
from .solver import (
    Denoise,
    Estimate,
    MultistepSolver,
    Solver,
    leave_pure_noise,
)


@DIFFUSION_SCHEDULERS.register_module()
class DPMSolverPP(MultistepSolver):
    """DPM-Solver++, multistep; Lu et al. 2022, alg. 2 (arXiv:2211.01095).

    One evaluation a step. The first steps, which have fewer estimates, and
    the last, to the clean level, are of lower order.

    Args:
        order: Number of estimates that a step uses, 1, 2 or 3. Order 1 is
            DDIM with eta = 0, or 1 where stochastic.
        stochastic: Solve the diffusion SDE (their SDE-DPM-Solver++) rather
            than the probability flow ODE.
        as_in_diffusers: Order 3 with half the second difference, for the
            numbers of diffusers 0.42; its observed order is 2.
    """

    def __init__(
        self,
        order: int = 2,
        stochastic: bool = False,
        as_in_diffusers: bool = False,
    ) -> None:
        _check_order(order, (1, 2, 3))
        if as_in_diffusers and (order != 3 or stochastic):
            raise ValueError(
                f'as_in_diffusers=True with order={order} and '
                f'stochastic={stochastic}: it changes order 3 of the ODE '
                'alone; leave it out'
            )
        self.memory = order
        self.stochastic = stochastic
        self.curvature = 0.5 if as_in_diffusers else 1.0

    def step(
        self,
        z: Tensor,
        past: Sequence[Estimate],
        nxt: NoiseLevel,
        draw_noise: DrawNoise,
    ) -> Tensor:
        if not self.stochastic:
            return _step(z, past, nxt, curvature=self.curvature)
        # The SDE's own drift doubles the exponent.
        z = _step(z, past, nxt, exponent=2)
        if nxt.sigma > 0:
            width = nxt.log_snr - past[0][0].log_snr
            z = z + nxt.sigma * (-torch.expm1(-width)).sqrt() * draw_noise(z)
        return z


@DIFFUSION_SCHEDULERS.register_module()
class UniPC(Solver):
    """UniPC with B_2(h); Zhao et al. 2023, alg. 1 (arXiv:2302.04867).

    A step of DPM-Solver++, corrected by the estimate at its end, which the
    next step needs anyway: one evaluation a step, one order more.

    Args:
        order: Of the predictor, 2 or 3; the first steps, and the last to
            the clean level, are of lower order.
    """

    def __init__(self, order: int = 2) -> None:
        _check_order(order, (2, 3))
        self.order = order

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        z, levels = leave_pure_noise(denoise, z, levels)
        past, start = [], z
        for cur, nxt in pairwise(levels):
            z_0 = denoise(z, cur)
            if past:
                z = _step(start, past, cur, arrived=z_0)
            past = [(cur, z_0), *past][: self.order]
            start = z
            z = _step(start, past, nxt)
        return z


def _step(
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
        past: Levels and estimates, the newest first.
        nxt: Where the step leads.
        arrived: Estimate at nxt, (B, C, h, w), where known.
        exponent: The integral is that of e^(exponent lambda) z_0(lambda).
        curvature: Factor on what a third estimate adds; 1 is exact.
    """
    cur, z_0 = past[0]
    width = exponent * (nxt.log_snr - cur.log_snr) / 2
    # Infinitely far away are pure noise and, from the clean level, all.
    others = [
        (level, estimate)
        for level, estimate in past[1:]
        if level.alpha > 0 and nxt.sigma > 0
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


def _check_order(order: int, orders: Sequence[int]) -> None:
    if order not in orders:
        *others, last = map(str, orders)
        raise ValueError(
            f'order={order!r} must be {", ".join(others)} or {last}'
        )
