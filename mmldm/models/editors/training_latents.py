"""Latents of a training batch, from images or from a cache."""

import torch
from torch import Tensor

from mmldm.utils.devices import to_device
from mmldm.utils.typing import DrawNoise, SampleList

from ..autoencoders import Autoencoder


@torch.no_grad()
def training_latents(
    autoencoder: Autoencoder,
    inputs: Tensor | None,
    data_samples: SampleList,
    draw_noise: DrawNoise | None,
) -> Tensor:
    """Scaled latents of a batch, float32, (B, C, h, w).

    Args:
        autoencoder: The first stage.
        inputs: Images in [-1, 1], (B, 3, H, W), or None.
        data_samples: Without images, they have ``latent_moments``.
        draw_noise: Makes the noise of the posterior; None takes its mode.
    """
    if inputs is not None:
        z = autoencoder.encode(inputs, draw_noise)
    else:
        z = autoencoder.scaled(
            cached_latents(autoencoder, data_samples, draw_noise)
        )
    return z.float()  # whatever the networks' dtype


def cached_latents(
    autoencoder: Autoencoder,
    data_samples: SampleList,
    draw_noise: DrawNoise | None,
) -> Tensor:
    """Raw latents from the ``latent_moments`` of samples, (B, C, h, w)."""
    parts = [
        s.require('latent_moments', 'LatentDiffusion') for s in data_samples
    ]
    # In autocast to bfloat16, a CPU refuses to stack a float16 cache.
    with torch.autocast(parts[0].device.type, enabled=False):
        moments = torch.stack(parts)
    like = autoencoder.latent_scale
    moments = to_device(moments, like.device, like.dtype)
    return autoencoder.latents_of(moments, draw_noise)
