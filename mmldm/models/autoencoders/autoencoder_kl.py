"""The KL-regularised first stage."""

from collections.abc import Callable

from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.typing import DrawNoise

from .autoencoder import Coding
from .conv_autoencoder import ConvAutoencoder


class DiagonalGaussian:
    """The posterior of an image's latent; Kingma & Welling 2014.

    Args:
        moments: Mean and log-variance, (B, 2 C, h, w).
    """

    def __init__(self, moments: Tensor) -> None:
        self.mean, log_var = moments.chunk(2, dim=1)
        # Beyond these bounds, exp over- or underflows in float16.
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
class AutoencoderKL(ConvAutoencoder):
    """Autoencoder with a Gaussian posterior; Rombach et al. 2022, app. G.

    Args:
        latent_channels: Channels of a latent.
        kwargs: Arguments of :class:`ConvAutoencoder`.
    """

    num_maps = 2  # mean and log-variance

    def __init__(self, latent_channels: int, **kwargs) -> None:
        super().__init__(latent_channels, **kwargs)
        # Noise of standard deviation 1 would hide what the encoder learns.
        nn.init.constant_(self.moments_layer.bias[latent_channels:], -6.0)

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """The Gaussian of raw latents of images (B, 3, H, W) in [-1, 1]."""
        return DiagonalGaussian(self.encode_moments(x))

    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        return self.latents_of(self.encode_moments(x), draw_noise)

    def latents_of(
        self, moments: Tensor, draw_noise: DrawNoise | None
    ) -> Tensor:
        """A sample of the posterior, or its mean without noise."""
        posterior = DiagonalGaussian(moments)
        if draw_noise is None:
            return posterior.mean
        return posterior.sample(draw_noise)

    def encode_for_training(
        self,
        x: Tensor,
        draw_noise: DrawNoise,
        transform: Callable[[Tensor], Tensor] = lambda z: z,
    ) -> Coding:
        """Samples of the posterior, and ``kl``, its KL per *pixel value*.

        The paper's weight (1e-6), for errors that are sums, thus fits errors
        that are means over pixel values.
        """
        posterior = self.posterior(x)
        kl = posterior.kl().mean() / x[0].numel()
        z = transform(posterior.sample(draw_noise))
        return Coding(z, dict(kl=kl), {})


@MODELS.register_module()
class GreyAutoencoderKL(AutoencoderKL):
    """:class:`AutoencoderKL` whose decoded images are grey.

    The decoder's three channels are averaged. Without this, grey images get
    faint colours, which networks trained on photographs see: at a third of a
    grey level they are two fifths of the Frechet distance between clothes and
    their reconstructions.
    """

    def decode_for_training(self, z: Tensor) -> Tensor:
        """See :class:`ConvAutoencoder`; all channels are equal."""
        x = super().decode_for_training(z)
        return x.mean(1, keepdim=True).expand_as(x)
