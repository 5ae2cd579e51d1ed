"""Solvers that replace part of the noise by new noise."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive, check_range
from mmldm.utils.typing import DrawNoise

from ..functional import NoiseLevel
from .solver import Estimate, MultistepSolver, noise_in


@DIFFUSION_SCHEDULERS.register_module()
class DDIM(MultistepSolver):
    """DDIM; Song et al. 2021, eq. 12 (arXiv:2010.02502).

    Args:
        eta: Share of new noise, in [0, 1]: 0 is the deterministic path, and 1
            is DDPM's ancestral sampling.
        clip: Clip estimates of z_0 to [-clip, clip], > 0, but not the noise
            that they imply, as ``clip_sample`` of diffusers does for pixels.
            None does not clip.
    """

    def __init__(self, eta: float = 0.0, clip: float | None = None) -> None:
        check_range('eta', eta, 0, 1)
        if clip is not None:
            check_positive('clip', clip)
        self.eta = eta
        self.clip = clip

    def step(
        self,
        z: Tensor,
        past: Sequence[Estimate],
        nxt: NoiseLevel,
        draw_noise: DrawNoise,
    ) -> Tensor:
        cur, z_0 = past[0]
        kept, fresh = self.sigmas(cur, nxt)
        z = nxt.alpha * self.clipped(z_0) + kept * noise_in(z, z_0, cur)
        if fresh > 0:
            z = z + fresh * draw_noise(z)
        return z

    def clipped(self, z_0: Tensor) -> Tensor:
        """The estimate of z_0, clipped to [-clip, clip], (B, C, h, w)."""
        return z_0 if self.clip is None else z_0.clamp(-self.clip, self.clip)

    def sigmas(
        self, cur: NoiseLevel, nxt: NoiseLevel
    ) -> tuple[Tensor, Tensor]:
        """Standard deviations at nxt of the old and the new noise; eq. 16.

        Their squares add up to the square of ``nxt.sigma``.
        """
        added = _variance_added(cur, nxt).sqrt()
        fresh = self.eta * nxt.sigma / cur.sigma * added
        kept = nxt.sigma.square() - fresh.square()
        return kept.clamp(min=0).sqrt(), fresh


@DIFFUSION_SCHEDULERS.register_module()
class EulerAncestral(DDIM):
    """:class:`DDIM` with eta = 1 by default, as named in k-diffusion.

    Euler's step in sigma / alpha goes below nxt, and new noise raises the
    latent to nxt.
    """

    def __init__(self, eta: float = 1.0) -> None:
        super().__init__(eta)


@DIFFUSION_SCHEDULERS.register_module()
class DDPM(DDIM):
    """Ancestral sampling; Ho et al. 2020, eq. 7 (arXiv:2006.11239).

    Args:
        posterior: Variance of the new noise, in [0, 1]: 0 is the posterior's,
            as in DDIM(eta=1), and 1 is the variance that the noising step
            added (beta), Ho et al.'s two choices. Values between mix them, as
            ``v_posterior`` of the original code does.
        clip: See :class:`DDIM`; here, the noise is implied by the clipped
            estimate, as in Ho et al.'s posterior.
    """

    def __init__(
        self, posterior: float = 0.0, clip: float | None = None
    ) -> None:
        check_range('posterior', posterior, 0, 1)
        super().__init__(eta=1.0, clip=clip)
        self.posterior = posterior

    def step(
        self,
        z: Tensor,
        past: Sequence[Estimate],
        nxt: NoiseLevel,
        draw_noise: DrawNoise,
    ) -> Tensor:
        cur, z_0 = past[0]
        return super().step(z, [(cur, self.clipped(z_0))], nxt, draw_noise)

    def sigmas(
        self, cur: NoiseLevel, nxt: NoiseLevel
    ) -> tuple[Tensor, Tensor]:
        """See :class:`DDIM`; the new noise is larger unless nxt is clean."""
        kept, fresh = super().sigmas(cur, nxt)
        if nxt.sigma > 0:
            beta = _variance_added(cur, nxt)
            fresh = torch.lerp(fresh.square(), beta, self.posterior).sqrt()
        return kept, fresh


def _variance_added(cur: NoiseLevel, nxt: NoiseLevel) -> Tensor:
    """The variance that noising from nxt to cur adds, ().

    For neighbours in the table, it is beta of Ho et al. 2020.
    """
    ratio = cur.alpha / nxt.alpha
    added = cur.sigma.square() - ratio.square() * nxt.sigma.square()
    return added.clamp(min=0)
