"""No first stage: diffusion in pixel space."""

from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.typing import DrawNoise

from .autoencoder import Autoencoder


@MODELS.register_module()
class IdentityAutoencoder(Autoencoder):
    """Latents are the pixels: LDM-1 of Rombach et al. 2022, section 4.1."""

    def __init__(self) -> None:
        super().__init__(latent_channels=3, factor=1)

    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        return x

    def decode_raw(self, z: Tensor) -> Tensor:
        return z
