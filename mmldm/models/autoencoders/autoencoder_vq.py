"""The vector-quantised first stage."""

from collections.abc import Callable

from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.typing import ConfigType, DrawNoise

from .autoencoder import Coding
from .conv_autoencoder import ConvAutoencoder


@MODELS.register_module()
class AutoencoderVQ(ConvAutoencoder):
    """Autoencoder whose decoder gets the nearest codes of a codebook.

    The quantiser is the first layer of the decoder. The latents that a
    diffusion model learns are therefore continuous (Rombach et al. 2022,
    section 3.1).

    Args:
        latent_channels: Channels of a latent and of a code.
        quantizer: Arguments of ``VectorQuantizer`` without ``dim``.
        kwargs: Arguments of :class:`ConvAutoencoder`.
    """

    part_types = dict(quantizer='VectorQuantizer')

    def __init__(
        self, latent_channels: int, quantizer: ConfigType, **kwargs
    ) -> None:
        super().__init__(latent_channels, **kwargs)
        self.quantizer = MODELS.build(
            {
                'type': self.part_types['quantizer'],
                'dim': latent_channels,
                **quantizer,
            }
        )
        if self.skip is not None and self.quantizer.normalize:
            raise ValueError(
                f'autoencoder.{self.skip.argument}=True needs codes of any '
                'length: set quantizer.normalize=False'
            )

    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        return self.encode_moments(x)

    def decode_raw(self, z: Tensor) -> Tensor:
        z_q = self.quantizer.quantize(z)
        if z.requires_grad:
            # The gradient passes straight through, for guidance by gradients.
            z_q = z + (z_q - z).detach()
        return self.decode_for_training(z_q)

    @property
    def num_codes(self) -> int:
        """Size of the codebook."""
        return len(self.quantizer.codebook)

    def codes(self, z: Tensor) -> Tensor:
        """See :class:`Autoencoder`."""
        return self.quantizer.lookup(z / self.latent_scale + self.latent_shift)

    def encode_for_training(
        self,
        x: Tensor,
        draw_noise: DrawNoise,
        transform: Callable[[Tensor], Tensor] = lambda z: z,
    ) -> Coding:
        """Codes, with the quantiser's losses, usage and perplexity."""
        quantized = self.quantizer(
            transform(self.encode_moments(x)), draw_noise
        )
        return Coding(quantized.z_q, quantized.losses, quantized.logs)
