"""Adams-Bashforth methods: the speed extrapolated from the last steps'.

Where the time of the coordinates falls by equal steps they are of the order
that they are named after, from the step on that has enough speeds to look back
on: the first step of iPNDM is Euler's, whose error, small where noise is all,
is of order 2 over the whole path. The coefficients stay these on any grid, as
their papers have it.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel
from .coordinates import coordinates_of
from .solver import Denoise, Solver, leave_pure_noise

# By order, the newest first.
WEIGHTS = (
    (1,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


@DIFFUSION_SCHEDULERS.register_module()
class IPNDM(Solver):
    """iPNDM; Zhang & Chen 2023 (arXiv:2204.13902).

    One evaluation a step; the first steps are of orders 1, 2, 3. With
    coordinates 'flow' the first one's error is of order 2 at any noise, and
    the path's with it, small as its share is.

    Args:
        order: Number of steps whose speed counts, in [1, 4].
        coordinates: 've' extrapolates the noise, as the paper and diffusers
            do, 'flow' the speed of straight paths; see
            :class:`Coordinates`.
    """

    def __init__(self, order: int = 4, coordinates: str = 've') -> None:
        if order not in (1, 2, 3, 4):
            raise ValueError(f'order={order!r} must be 1, 2, 3 or 4')
        self.order = order
        name = type(self).__name__
        self.coordinates = coordinates_of(name, coordinates)

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        paths = self.coordinates
        if paths.k == 0:  # its time begins at infinity
            z, levels = leave_pure_noise(denoise, z, levels)
        past = []
        for cur, nxt in pairwise(levels):
            speed = paths.speed(z, denoise(z, cur), cur)
            past = [speed, *past][: self.order]
            mean = self.mean_speed(denoise, z, past, cur, nxt)
            z = paths.step(z, mean, cur, nxt)
        return z

    def mean_speed(
        self,
        denoise: Denoise,
        z: Tensor,
        past: Sequence[Tensor],
        cur: NoiseLevel,
        nxt: NoiseLevel,
    ) -> Tensor:
        """The speed over the whole step from cur to nxt, (B, C, h, w).

        Args:
            denoise: See :class:`Solver`.
            z: Latent at cur, (B, C, h, w).
            past: Speeds at cur and before, the newest first.
            cur: Where the step begins.
            nxt: Where it leads.
        """
        weights = WEIGHTS[len(past) - 1]
        return sum(w * speed for w, speed in zip(weights, past, strict=True))


@DIFFUSION_SCHEDULERS.register_module()
class PLMS(IPNDM):
    """Pseudo linear multistep; Liu et al. 2022 (arXiv:2202.09778).

    As in the original latent diffusion code the first step is of second
    order, by an evaluation more: num_steps + 1 in all, but for a single step.
    With coordinates 've', noise alone is left by a step of DDIM before; with
    'flow', the order is 3, that of the first step's error.

    Args:
        coordinates: 'flow' extrapolates the speed of straight paths, see
            :class:`Coordinates`. 've' extrapolates the noise, as the paper,
            the original code and diffusers do; from a cosine schedule's
            noisy end a mixture of Gaussians then ends off by 8 with 10 steps
            in place of 0.03.
    """

    def __init__(self, coordinates: str = 'flow') -> None:
        super().__init__(order=4, coordinates=coordinates)

    def mean_speed(
        self,
        denoise: Denoise,
        z: Tensor,
        past: Sequence[Tensor],
        cur: NoiseLevel,
        nxt: NoiseLevel,
    ) -> Tensor:
        """In the first step the mean of both ends, unless one is clean."""
        if len(past) > 1 or nxt.sigma == 0:
            return super().mean_speed(denoise, z, past, cur, nxt)
        paths = self.coordinates
        guess = paths.step(z, past[0], cur, nxt)
        ahead = paths.speed(guess, denoise(guess, nxt), nxt)
        return (past[0] + ahead) / 2
