"""DPM-Solver++ and UniPC: exponential integrators of the estimate."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel
from .exponential import check_order, exponential_step, safe_order
from .solver import Denoise, Estimate, Solver, leave_pure_noise


class ExtrapolatingSolver(Solver):
    """A solver that extrapolates as many estimates as the next step allows.

    Args:
        order: Largest number of estimates that a step uses.
        lower_order_final: None lowers the order of every step that is much
            longer in log-SNR than the steps before it, see
            :func:`safe_order`. False never lowers it. True lowers the order
            of the last two steps to 2 and 1, as diffusers does.
    """

    # Number of steps from which on diffusers does not lower the order.
    SAFE_IN_DIFFUSERS = float('inf')

    def __init__(self, order: int, lower_order_final: bool | None) -> None:
        self.order = order
        self.lower_order_final = lower_order_final

    def usable(
        self,
        past: Sequence[Estimate],
        levels: Sequence[NoiseLevel],
        i: int,
    ) -> Sequence[Estimate]:
        """The levels and estimates that step i uses, the newest first.

        Args:
            past: Known levels and estimates, the newest first.
            levels: All levels of the path.
            i: Index of the step from ``levels[i]`` to the next.
        """
        past = past[: self.order]
        num_steps = len(levels) - 1
        if self.lower_order_final is None:
            return past[: safe_order(past, levels[i + 1])]
        if self.lower_order_final and num_steps < self.SAFE_IN_DIFFUSERS:
            return past[: num_steps - i]
        return past


@DIFFUSION_SCHEDULERS.register_module()
class DPMSolverPP(ExtrapolatingSolver):
    """DPM-Solver++, multistep; Lu et al. 2022, alg. 2 (arXiv:2211.01095).

    A step needs one evaluation. The first steps, with fewer estimates, and the
    last step, to the clean level, have a lower order.

    Args:
        order: Number of estimates that a step uses, 1, 2 or 3. Order 1 is DDIM
            with eta = 0, or with eta = 1 if stochastic.
        stochastic: Solve the diffusion SDE (their SDE-DPM-Solver++) rather
            than the probability flow ODE.
        as_in_diffusers: Use order 3 with half the second difference, to
            reproduce diffusers 0.42; the observed order is then 2.
        lower_order_final: See :class:`ExtrapolatingSolver`; True only has an
            effect with fewer than 15 steps.
    """

    SAFE_IN_DIFFUSERS = 15

    def __init__(
        self,
        order: int = 2,
        stochastic: bool = False,
        as_in_diffusers: bool = False,
        lower_order_final: bool | None = None,
    ) -> None:
        check_order(order, (1, 2, 3))
        if as_in_diffusers and (order != 3 or stochastic):
            raise ValueError(
                f'as_in_diffusers=True needs order=3 and stochastic=False, '
                f'got order={order} and stochastic={stochastic}: remove it'
            )
        super().__init__(order, lower_order_final)
        self.stochastic = stochastic
        self.curvature = 0.5 if as_in_diffusers else 1.0

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        past = []
        for i, (cur, nxt) in enumerate(pairwise(levels)):
            past = [(cur, denoise(z, cur)), *past][: self.order]
            z = self._step(z, self.usable(past, levels, i), nxt, draw_noise)
        return z

    def _step(
        self,
        z: Tensor,
        past: Sequence[Estimate],
        nxt: NoiseLevel,
        draw_noise: DrawNoise,
    ) -> Tensor:
        if not self.stochastic:
            return exponential_step(z, past, nxt, curvature=self.curvature)
        # The SDE's drift doubles the exponent.
        z = exponential_step(z, past, nxt, exponent=2)
        if nxt.sigma > 0:
            width = nxt.log_snr - past[0][0].log_snr
            z = z + nxt.sigma * (-torch.expm1(-width)).sqrt() * draw_noise(z)
        return z


@DIFFUSION_SCHEDULERS.register_module()
class UniPC(ExtrapolatingSolver):
    """UniPC with B_2(h); Zhao et al. 2023, alg. 1 (arXiv:2302.04867).

    A step of DPM-Solver++ is corrected by the estimate at its end, which the
    next step needs anyway. This raises the order by one without an additional
    evaluation.

    Args:
        order: Order of the predictor, 2 or 3; the first steps, and the last
            step to the clean level, have a lower order.
        lower_order_final: See :class:`ExtrapolatingSolver`.
    """

    def __init__(
        self, order: int = 2, lower_order_final: bool | None = None
    ) -> None:
        check_order(order, (2, 3))
        super().__init__(order, lower_order_final)

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        z, levels = leave_pure_noise(denoise, z, levels)
        past, used, start = [], [], z
        for i, (cur, nxt) in enumerate(pairwise(levels)):
            z_0 = denoise(z, cur)
            if past:
                z = exponential_step(start, used, cur, arrived=z_0)
            past = [(cur, z_0), *past][: self.order]
            used = self.usable(past, levels, i)
            start, z = z, exponential_step(z, used, nxt)
        return z


@DIFFUSION_SCHEDULERS.register_module()
class DPMSolverSinglestep(Solver):
    """DPM-Solver++, single-step; Lu et al. 2022, alg. 1 (arXiv:2211.01095).

    ``order`` levels of the grid form one step of that order: each level inside
    is reached from the step's start with the estimates known so far, and
    nothing is extrapolated from the step before. A level needs one evaluation.
    The last level, to the clean one, is a step by itself. If the levels before
    it cannot be divided evenly, the first step has a lower order. A step also
    ends before a level that is too far away, see :func:`safe_order`.

    Args:
        order: Number of levels and estimates of a step, 2 or 3.
        lower_order_final: None divides the levels as above. With True or
            False, every step but the last has this order, as in diffusers,
            at any distance of its levels; remaining levels and a step to the
            clean level have a lower order. With True, a last level that would
            complete a step is a step by itself, too.
    """

    def __init__(
        self, order: int = 2, lower_order_final: bool | None = None
    ) -> None:
        check_order(order, (2, 3))
        self.order = order
        self.lower_order_final = lower_order_final

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        z, levels = leave_pure_noise(denoise, z, levels)
        known, start = [], z
        for i, (cur, nxt) in enumerate(pairwise(levels)):
            if self._begins(i, levels):
                known, start = [], z
            known.append((cur, denoise(z, cur)))
            if self.lower_order_final is None and (
                safe_order(known[::-1], nxt) < len(known)
            ):
                known, start = known[-1:], z
            z = exponential_step(start, known, nxt)
        return z

    def _begins(self, i: int, levels: Sequence[NoiseLevel]) -> bool:
        """Whether a step begins at ``levels[i]``."""
        num_steps, to_clean = len(levels) - 1, levels[-1].sigma == 0
        if self.lower_order_final is None:
            return (num_steps - int(to_clean) - i) % self.order == 0
        completes = self.lower_order_final and num_steps % self.order == 0
        last = i == num_steps - 1 and (to_clean or completes)
        return bool(last) or i % self.order == 0
