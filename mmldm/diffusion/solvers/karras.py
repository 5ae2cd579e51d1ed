"""Solvers of Karras et al. 2022 (arXiv:2206.00364)."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive, check_range
from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel
from .coordinates import COORDINATES, coordinates_of
from .solver import Denoise, Solver, leave_pure_noise


class ChurnSolver(Solver):
    """A solver that raises the noise before each step.

    Karras et al. 2022, alg. 2. Noise is measured by sigma / alpha, so that any
    schedule can be used. A raised level lies between two levels of the grid:
    its alpha and sigma are on the straight line through theirs, and t is
    interpolated linearly in log-SNR. This is exact for straight schedules
    (variance exploding, rectified flow). For variance-preserving ones, z's
    scale has an error of 1 - cos(angle / 2) (0.2 % for 20 equal steps in
    log-SNR). No level is raised above the first, the noisiest that the network
    knows, so that the first is not raised itself.

    Args:
        churn: S_churn, >= 0. In a step, sigma / alpha grows by the share
            churn / num_steps, at most sqrt(2) - 1; 0 is the deterministic
            path.
        churn_range: (S_tmin, S_tmax), the range of sigma / alpha in which
            levels are raised.
        churn_noise: S_noise, the standard deviation of the added noise, > 0;
            values slightly above 1 replace lost detail.
    """

    def __init__(
        self,
        churn: float = 0.0,
        churn_range: tuple[float, float] = (0.0, math.inf),
        churn_noise: float = 1.0,
    ) -> None:
        check_range('churn', churn, 0, math.inf, '; 0 is off')
        if not 0 <= churn_range[0] < churn_range[1]:
            raise ValueError(
                f'churn_range={tuple(churn_range)} must be two values of '
                'sigma / alpha, 0 <= low < high'
            )
        check_positive('churn_noise', churn_noise)
        self.churn = churn
        self.churn_range = churn_range
        self.churn_noise = churn_noise

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Sequence[NoiseLevel],
        draw_noise: DrawNoise = torch.randn_like,
    ) -> Tensor:
        growth = min(self.churn / (len(levels) - 1), math.sqrt(2) - 1)
        z, levels = self.start(denoise, z, levels)
        for i, (cur, nxt) in enumerate(pairwise(levels)):
            raised = self._raised(levels[: i + 1], growth)
            if raised is not cur:
                z = self._add_noise(z, cur, raised, draw_noise)
            z = self.step(denoise, z, raised, nxt)
        return z

    def start(
        self, denoise: Denoise, z: Tensor, levels: Sequence[NoiseLevel]
    ) -> tuple[Tensor, Sequence[NoiseLevel]]:
        """Latent and levels to start from; their log-SNRs are finite."""
        return leave_pure_noise(denoise, z, levels)

    @abstractmethod
    def step(
        self, denoise: Denoise, z: Tensor, cur: NoiseLevel, nxt: NoiseLevel
    ) -> Tensor:
        """The latent at ``nxt`` from z at ``cur``, (B, C, h, w)."""

    def _raised(
        self, levels: Sequence[NoiseLevel], growth: float
    ) -> NoiseLevel:
        """The level to which the last of ``levels`` is raised, or itself."""
        cur = levels[-1]
        ratio = cur.sigma / cur.alpha
        low, high = self.churn_range
        if growth == 0 or len(levels) == 1 or not low <= ratio <= high:
            return cur
        ratio = ratio * (1 + growth)
        for below, above in pairwise(reversed(levels)):
            if ratio <= above.sigma / above.alpha:
                return _level_between(below, above, ratio)
        return levels[0]

    def _add_noise(
        self,
        z: Tensor,
        cur: NoiseLevel,
        raised: NoiseLevel,
        draw_noise: DrawNoise,
    ) -> Tensor:
        """The latent at the raised level; alg. 2, line 6."""
        shrunk = raised.alpha / cur.alpha
        added = raised.sigma.square() - (shrunk * cur.sigma).square()
        return shrunk * z + self.churn_noise * added.sqrt() * draw_noise(z)


@DIFFUSION_SCHEDULERS.register_module()
class Euler(ChurnSolver):
    """Euler's method, order 1; Karras et al. 2022, alg. 2 without correction.

    Without churn, it is DDIM with eta = 0.
    """

    def step(
        self, denoise: Denoise, z: Tensor, cur: NoiseLevel, nxt: NoiseLevel
    ) -> Tensor:
        flow = COORDINATES['flow']
        return flow.step(z, flow.speed(z, denoise(z, cur), cur), cur, nxt)


@DIFFUSION_SCHEDULERS.register_module()
class Heun(ChurnSolver):
    """Heun's method, order 2, two evaluations a step.

    Karras et al. 2022, alg. 2. The last step, to the clean level, is Euler's,
    and so is a step from pure noise with coordinates 've'.

    Args:
        churn: See :class:`ChurnSolver`.
        churn_range: See :class:`ChurnSolver`.
        churn_noise: See :class:`ChurnSolver`.
        coordinates: 'flow' averages the speeds at both ends of a step on the
            straight paths of :class:`Coordinates`. 've' averages the noise
            over sigma / alpha, as in the paper and diffusers. On a cosine
            schedule, sigma / alpha starts at 20,291: for a mixture of
            Gaussians, 10 steps have an error of 16 with 've', and of 0.04
            with 'flow'.
    """

    def __init__(
        self,
        churn: float = 0.0,
        churn_range: tuple[float, float] = (0.0, math.inf),
        churn_noise: float = 1.0,
        coordinates: str = 'flow',
    ) -> None:
        super().__init__(churn, churn_range, churn_noise)
        self.coordinates = coordinates_of('Heun', coordinates)

    def start(
        self, denoise: Denoise, z: Tensor, levels: Sequence[NoiseLevel]
    ) -> tuple[Tensor, Sequence[NoiseLevel]]:
        if self.churn or self.coordinates.k == 0:
            return super().start(denoise, z, levels)
        return z, levels

    def step(
        self, denoise: Denoise, z: Tensor, cur: NoiseLevel, nxt: NoiseLevel
    ) -> Tensor:
        paths = self.coordinates
        speed = paths.speed(z, denoise(z, cur), cur)
        guess = paths.step(z, speed, cur, nxt)
        if nxt.sigma == 0:
            return guess
        ahead = paths.speed(guess, denoise(guess, nxt), nxt)
        return paths.step(z, (speed + ahead) / 2, cur, nxt)


def _level_between(
    below: NoiseLevel, above: NoiseLevel, ratio: Tensor
) -> NoiseLevel:
    """The level with this sigma / alpha between two; see ChurnSolver."""
    rise = above.sigma - below.sigma
    fall = below.alpha - above.alpha
    weight = (ratio * below.alpha - below.sigma) / (rise + ratio * fall)
    share = (2 * ratio.log() + below.log_snr) / (below.log_snr - above.log_snr)
    return NoiseLevel(
        t=torch.lerp(below.t, above.t, share),
        alpha=torch.lerp(below.alpha, above.alpha, weight),
        sigma=torch.lerp(below.sigma, above.sigma, weight),
    )
