"""What an editor may ask of any first stage."""

from abc import abstractmethod

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmldm.utils import check_divisible, check_positive
from mmldm.utils.typing import DrawNoise


class Autoencoder(BaseModule):
    """Images and *scaled* latents.

    Outside of here latents always carry the scale, whose one owner this is
    (Rombach et al. 2022, section 4.3.2 and app. G).

    Args:
        latent_channels: Channels of a latent.
        factor: Pixels per latent position along each side, a power of 2.
        latent_scale: Multiplies raw latents so that their standard deviation
            is about 1; ``LatentScaleHook`` measures it.
    """

    def __init__(
        self, latent_channels: int, factor: int, latent_scale: float = 1.0
    ) -> None:
        super().__init__()
        check_positive('latent_scale', latent_scale)
        self.latent_channels = latent_channels
        self.factor = factor
        self.register_buffer('latent_scale', torch.tensor(latent_scale))

    def encode(self, x: Tensor, draw_noise: DrawNoise | None = None) -> Tensor:
        """Scaled latents (B, latent_channels, H / f, W / f).

        Args:
            x: Images in [-1, 1], (B, 3, H, W).
            draw_noise: Draws a sample of the posterior, where the first
                stage has one; None takes its mode.

        Raises:
            ValueError: If f does not divide H and W.
        """
        for name, size in zip(('height', 'width'), x.shape[2:], strict=True):
            check_divisible(
                f'image {name}', size, 'the downsampling factor', self.factor
            )
        return self.encode_raw(x, draw_noise) * self.latent_scale

    def decode(self, z: Tensor) -> Tensor:
        """Images of about [-1, 1], (B, 3, f h, f w), from scaled latents."""
        return self.decode_raw(z / self.latent_scale)

    @abstractmethod
    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        """As :meth:`encode`, without the scale."""

    @abstractmethod
    def decode_raw(self, z: Tensor) -> Tensor:
        """As :meth:`decode`, without the scale."""
