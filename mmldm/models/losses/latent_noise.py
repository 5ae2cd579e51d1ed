"""Noise on latents, for decoders that tolerate it."""

from torch import Tensor

from mmldm.utils import SampleRandom


def with_noise(z: Tensor, most: float, random: SampleRandom) -> Tensor:
    """Latents with noise of a random deviation, |N(0, 1)| for each sample.

    Args:
        z: Latents, (B, C, h, w).
        most: Factor on the deviation, in deviations of each channel of the
            batch. The encoder thus gains nothing by larger latents.
        random: Random numbers of each sample.
    """
    if not most:
        return z
    spread = z.std((0, 2, 3), keepdim=True)
    level = random.normal('latent_noise/level')(z[:, :1, :1, :1]).abs()
    return z + most * level * spread * random.normal('latent_noise')(z)
