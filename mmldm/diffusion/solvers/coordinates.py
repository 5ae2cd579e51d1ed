"""Variables in which the probability flow ODE is solved.

With any scale c = alpha + k sigma, the latent x = z / c moves over the time
u = sigma / c by dx/du = noise - k z_0, and a step of constant speed is
DDIM's. A solver of a higher order depends on k: its error is that of the
speed, taken as a polynomial in u.
"""

from typing import NamedTuple

from torch import Tensor

from mmldm.utils import check_choice

from ..functional import NoiseLevel


class Coordinates(NamedTuple):
    """x = z / c over u = sigma / c, with c = alpha + k sigma.

    Attributes:
        k: 1 for the straight paths of Liu et al. 2022 (arXiv:2209.03003), on
            which u goes from 1 for noise alone to 0; 0 for the variance
            exploding ones of Karras et al. 2022 (arXiv:2206.00364, eq. 4
            with s = alpha), on which u has no bound.
    """

    k: int

    def scale(self, level: NoiseLevel) -> Tensor:
        """c, ()."""
        return level.alpha + self.k * level.sigma

    def speed(self, z: Tensor, z_0: Tensor, level: NoiseLevel) -> Tensor:
        """noise - k z_0 if z_0 is the clean latent, (B, C, h, w)."""
        return (z - self.scale(level) * z_0) / level.sigma

    def step(
        self, z: Tensor, speed: Tensor, cur: NoiseLevel, nxt: NoiseLevel
    ) -> Tensor:
        """The latent at nxt, from z at cur by this speed, (B, C, h, w)."""
        before, after = self.scale(cur), self.scale(nxt)
        change = nxt.sigma / after - cur.sigma / before
        return after * (z / before + change * speed)


COORDINATES = dict(flow=Coordinates(1), ve=Coordinates(0))


def coordinates_of(solver: str, name: str) -> Coordinates:
    """The coordinates of this name.

    Raises:
        ValueError: If there are none.
    """
    check_choice(f'{solver}.coordinates', name, COORDINATES)
    return COORDINATES[name]
