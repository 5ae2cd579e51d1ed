"""The currency of the diffusion floor, and the forward process.

``q(z_t | z_0) = N(alpha z_0, sigma^2 I)`` with alpha / sigma decreasing in t
is all that is assumed: variance preserving (alpha^2 + sigma^2 = 1),
variance exploding (alpha = 1) and rectified flow (alpha + sigma = 1) are the
same code. Latents have any number of axes behind (B, C): those of a video,
(B, C, T, h, w), too.
"""

from dataclasses import dataclass

from torch import Tensor

from mmldm.utils import Draws


@dataclass(frozen=True)
class NoiseLevel:
    """How noisy a latent is: one level for all, or one per sample.

    Args:
        t: What the network is told, in [0, num_timesteps].
        alpha: Factor of the clean latent, in [0, 1].
        sigma: Standard deviation of the noise, >= 0.

    All three are float64 tensors of shape () or (B,). 0-dim float64 tensors
    on the CPU combine with any latent without promoting its dtype.
    """

    t: Tensor
    alpha: Tensor
    sigma: Tensor

    @property
    def snr(self) -> Tensor:
        """alpha^2 / sigma^2, of the shape of ``alpha``."""
        return (self.alpha / self.sigma).square()

    @property
    def log_snr(self) -> Tensor:
        """log(alpha^2 / sigma^2), of the shape of ``alpha``."""
        return 2 * (self.alpha.log() - self.sigma.log())

    def match(self, z: Tensor) -> 'NoiseLevel':
        """alpha and sigma of shape (B, 1, ...), of z's rank, dtype and device.

        A level of shape () stays as it is.
        """
        if self.alpha.ndim == 0:
            return self
        shape = (-1, *[1] * (z.ndim - 1))
        # Without waiting for what a GPU is at.
        alpha, sigma = (
            x.to(z, non_blocking=True).view(shape)
            for x in (self.alpha, self.sigma)
        )
        return NoiseLevel(self.t, alpha, sigma)


def add_noise(z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
    """alpha z_0 + sigma noise, (B, C, h, w); Ho et al. 2020, eq. 4."""
    level = level.match(z_0)
    return level.alpha * z_0 + level.sigma * noise


def draw_noise(draws: Draws, z_0: Tensor, offset: float = 0.0) -> Tensor:
    """Training noise, (B, C, h, w).

    Args:
        draws: What each sample draws.
        z_0: Latents of the wanted shape, (B, C, h, w).
        offset: Standard deviation of what all of a channel has in common
            besides, so that the mean of a latent is learnt too; Guttenberg
            2023, https://www.crosslabs.org/blog/diffusion-with-offset-noise.
    """
    noise = draws.normal('noise')(z_0)
    if offset == 0:
        return noise
    one_position = z_0[(..., *[slice(1)] * (z_0.ndim - 2))]
    return noise + offset * draws.normal('offset')(one_position)
