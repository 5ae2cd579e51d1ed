"""The KL-regularised first stage."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.typing import DrawNoise

from .autoencoder import Autoencoder
from .codec import Decoder, Encoder


class DiagonalGaussian:
    """The posterior of an image's latent; Kingma & Welling 2014.

    Args:
        moments: Mean and log-variance, (B, 2 C, h, w).
    """

    def __init__(self, moments: Tensor) -> None:
        self.mean, log_var = moments.chunk(2, dim=1)
        # Beyond, the exponential over- or underflows in float16.
        self.log_var = log_var.clamp(-30, 20)

    def sample(self, draw_noise: DrawNoise) -> Tensor:
        """mean + std noise, (B, C, h, w)."""
        std = (0.5 * self.log_var).exp()
        return self.mean + std * draw_noise(self.mean)

    def kl(self) -> Tensor:
        """KL divergence from N(0, I), summed over a sample, (B,)."""
        square = self.mean.square() + self.log_var.exp()
        return 0.5 * (square - 1 - self.log_var).flatten(1).sum(1)


@MODELS.register_module()
class AutoencoderKL(Autoencoder):
    """Autoencoder with a Gaussian posterior; Rombach et al. 2022, app. G.

    Args:
        latent_channels: Channels of a latent.
        channels: Channels of the first level, multiple of 32.
        channel_mults: Factor on ``channels`` at each level; the image is
            halved between levels, so f = 2^(levels - 1).
        num_res_blocks: Residual blocks a level of the encoder.
        mid_attention: Attention at the lowest resolution.
        latent_scale: See :class:`Autoencoder`.
    """

    def __init__(
        self,
        latent_channels: int,
        channels: int = 128,
        channel_mults: Sequence[int] = (1, 2, 4),
        num_res_blocks: int = 2,
        mid_attention: bool = True,
        latent_scale: float = 1.0,
    ) -> None:
        super().__init__(
            latent_channels, 2 ** (len(channel_mults) - 1), latent_scale
        )
        body = (channels, channel_mults, num_res_blocks, mid_attention)
        self.encoder = Encoder(2 * latent_channels, *body)
        self.decoder = Decoder(latent_channels, *body)
        self.quant_conv = nn.Conv2d(
            2 * latent_channels, 2 * latent_channels, 1
        )
        self.post_quant_conv = nn.Conv2d(latent_channels, latent_channels, 1)

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """The Gaussian of raw latents of images (B, 3, H, W) in [-1, 1]."""
        return DiagonalGaussian(self.quant_conv(self.encoder(x)).float())

    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        posterior = self.posterior(x)
        if draw_noise is None:
            return posterior.mean
        return posterior.sample(draw_noise)

    def decode_raw(self, z: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(z))
