"""The noise level, and the forward process.

The only assumption is ``q(z_t | z_0) = N(alpha z_0, sigma^2 I)`` with
alpha / sigma decreasing in t. Variance preserving (alpha^2 + sigma^2 = 1),
variance exploding (alpha = 1) and rectified flow (alpha + sigma = 1) use the
same code. Latents may have any axes after (B, C), such as (B, C, T, h, w) for
videos.
"""

from dataclasses import dataclass

from torch import Tensor

from mmldm.utils import SampleRandom


@dataclass(frozen=True)
class NoiseLevel:
    """The noise level of latents: one for all, or one for each sample.

    Args:
        t: The network's time, in [0, num_timesteps].
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
        """alpha^2 / sigma^2, with the shape of ``alpha``."""
        return (self.alpha / self.sigma).square()

    @property
    def log_snr(self) -> Tensor:
        """log(alpha^2 / sigma^2), with the shape of ``alpha``."""
        return 2 * (self.alpha.log() - self.sigma.log())

    def match(self, z: Tensor) -> 'NoiseLevel':
        """The level with alpha and sigma of shape (B, 1, ...), for z.

        They have z's dtype and device. A level of shape () is returned as is.
        """
        if self.alpha.ndim == 0:
            return self
        shape = (-1, *[1] * (z.ndim - 1))
        # Does not wait for the GPU.
        alpha, sigma = (
            x.to(z, non_blocking=True).view(shape)
            for x in (self.alpha, self.sigma)
        )
        return NoiseLevel(self.t, alpha, sigma)


def add_noise(z_0: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
    """alpha z_0 + sigma noise, (B, C, h, w); Ho et al. 2020, eq. 4."""
    level = level.match(z_0)
    return level.alpha * z_0 + level.sigma * noise


def draw_noise(
    random: SampleRandom, z_0: Tensor, offset: float = 0.0
) -> Tensor:
    """Random training noise, (B, C, h, w).

    Args:
        random: Random numbers of each sample.
        z_0: Latents with the wanted shape, (B, C, h, w).
        offset: Standard deviation of additional noise that is constant over
            a channel, so that the mean of a latent is learnt too; Guttenberg
            2023, https://www.crosslabs.org/blog/diffusion-with-offset-noise.
    """
    noise = random.normal('noise')(z_0)
    if offset == 0:
        return noise
    one_position = z_0[(..., *[slice(1)] * (z_0.ndim - 2))]
    return noise + offset * random.normal('offset')(one_position)
