"""Steps that replace part of the noise by fresh noise."""

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
    """Song et al. 2021, eq. 12 (arXiv:2010.02502).

    Args:
        eta: 0 is the deterministic path, 1 is DDPM's ancestral sampling.
        clip: Estimates of z_0 are clipped to [-clip, clip], the noise that
            they imply is not; as ``clip_sample`` of diffusers, for pixels.
            None for never.
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
        """An estimate of z_0 in [-clip, clip], (B, C, h, w)."""
        return z_0 if self.clip is None else z_0.clamp(-self.clip, self.clip)

    def sigmas(
        self, cur: NoiseLevel, nxt: NoiseLevel
    ) -> tuple[Tensor, Tensor]:
        """Deviations at nxt of the noise that stays and of the new; eq. 16.

        Their squares add up to that of ``nxt.sigma``.
        """
        added = _variance_added(cur, nxt).sqrt()
        fresh = self.eta * nxt.sigma / cur.sigma * added
        kept = nxt.sigma.square() - fresh.square()
        return kept.clamp(min=0).sqrt(), fresh


@DIFFUSION_SCHEDULERS.register_module()
class EulerAncestral(DDIM):
    """k-diffusion's name for :class:`DDIM` whose eta is 1 unless said.

    Euler's step in sigma / alpha goes below nxt, fresh noise back up to it.
    """

    def __init__(self, eta: float = 1.0) -> None:
        super().__init__(eta)


@DIFFUSION_SCHEDULERS.register_module()
class DDPM(DDIM):
    """Ancestral sampling; Ho et al. 2020, eq. 7 (arXiv:2006.11239).

    Args:
        posterior: Which variance a step draws, in [0, 1]: 0 is the
            posterior's, as in DDIM(eta=1), and 1 what the noising step
            added (beta), Ho et al.'s two choices; in between they are
            mixed, as by ``v_posterior`` of the original code.
        clip: As of :class:`DDIM`, but the noise is that of what is clipped,
            as of Ho et al.'s posterior.
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
        """Those of DDIM, the new one enlarged unless nxt is clean."""
        kept, fresh = super().sigmas(cur, nxt)
        if nxt.sigma > 0:
            beta = _variance_added(cur, nxt)
            fresh = torch.lerp(fresh.square(), beta, self.posterior).sqrt()
        return kept, fresh


def _variance_added(cur: NoiseLevel, nxt: NoiseLevel) -> Tensor:
    """Of the variance at cur, what noising from nxt to cur added, ().

    beta of Ho et al. 2020 where the two are neighbours in the table.
    """
    ratio = cur.alpha / nxt.alpha
    added = cur.sigma.square() - ratio.square() * nxt.sigma.square()
    return added.clamp(min=0)
