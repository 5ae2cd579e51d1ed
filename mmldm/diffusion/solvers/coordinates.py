"""Variables in which the probability flow ODE is solved.

With any scale c = alpha + k sigma, the latent x = z / c follows
dx/du = noise - k z_0 in the time u = sigma / c, and a step of constant speed
is DDIM's. A solver of higher order depends on k: its error is that of
approximating the speed by a polynomial in u.
"""

from typing import NamedTuple

from torch import Tensor

from mmldm.utils import check_choice

from ..functional import NoiseLevel


class Coordinates(NamedTuple):
    """The coordinates x = z / c and u = sigma / c, with c = alpha + k sigma.

    Attributes:
        k: 1 for the straight paths of Liu et al. 2022 (arXiv:2209.03003),
            where u falls from 1 at pure noise to 0; 0 for the variance-
            exploding paths of Karras et al. 2022 (arXiv:2206.00364, eq. 4
            with s = alpha), where u is unbounded.
    """

    k: int

    @property
    def name(self) -> str:
        """The name in configs."""
        return 'flow' if self.k else 've'

    def scale(self, level: NoiseLevel) -> Tensor:
        """The scale c, ()."""
        return level.alpha + self.k * level.sigma

    def speed(self, z: Tensor, z_0: Tensor, level: NoiseLevel) -> Tensor:
        """The speed noise - k z_0 for the clean latent z_0, (B, C, h, w)."""
        return (z - self.scale(level) * z_0) / level.sigma

    def step(
        self, z: Tensor, speed: Tensor, cur: NoiseLevel, nxt: NoiseLevel
    ) -> Tensor:
        """The latent at nxt, from z at cur with this speed, (B, C, h, w)."""
        before, after = self.scale(cur), self.scale(nxt)
        change = nxt.sigma / after - cur.sigma / before
        return after * (z / before + change * speed)


COORDINATES = dict(flow=Coordinates(1), ve=Coordinates(0))


def coordinates_of(solver: str, name: str) -> Coordinates:
    """The coordinates with this name.

    Raises:
        ValueError: If the name is unknown.
    """
    check_choice(f'{solver}.coordinates', name, COORDINATES)
    return COORDINATES[name]
