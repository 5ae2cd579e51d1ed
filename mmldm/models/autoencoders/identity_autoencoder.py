"""No first stage: diffusion in pixel space."""

from collections.abc import Sequence

from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.typing import DrawNoise

from .autoencoder import Autoencoder


@MODELS.register_module()
class IdentityAutoencoder(Autoencoder):
    """First stage whose latents are the pixels; Rombach et al. 2022, LDM-1.

    Args:
        latent_scale: See :class:`Autoencoder`.
        latent_shift: See :class:`Autoencoder`.
    """

    def __init__(
        self,
        latent_scale: float | Sequence[float] = 1.0,
        latent_shift: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__(3, 1, latent_scale, latent_shift)

    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        return x

    def encode_moments(self, x: Tensor) -> Tensor:
        """The pixels."""
        return x

    def decode_raw(self, z: Tensor) -> Tensor:
        return z
