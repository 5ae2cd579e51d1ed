"""Training for latents that can be rotated and scaled like images."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils import SampleRandom, check_share
from mmldm.utils.sample_random import Address


@MODELS.register_module()
class Equivariance:
    """Trains the decoder on scaled and rotated latents too.

    In a share of the iterations, the latents of the whole batch are rotated by
    a multiple of 90 degrees and scaled. The decoded result is compared with
    the image, rotated and scaled in the same way; Kouzelis et al. 2025, EQ-VAE
    (arXiv:2502.09509), section 3.2.

    Args:
        prob: Share of the iterations, in [0, 1].
        min_scale: Smallest scale of height and of width, which are random
            and independent.
    """

    def __init__(self, prob: float = 0.5, min_scale: float = 0.25) -> None:
        for name, value in dict(prob=prob, min_scale=min_scale).items():
            check_share(f'equivariance.{name}', value)
        self.prob = prob
        self.min_scale = min_scale

    def draw(self, address: Address) -> Callable[[Tensor, int], Tensor]:
        """The random transform of one iteration, ``transform(x, unit)``.

        It takes images or latents (B, C, H, W). The sides of its result are
        multiples of ``unit``. With the autoencoder's factor for images and 1
        for latents, both results fit each other.
        """
        random = SampleRandom([address])
        happens, turn, *scales = (
            float(random.uniform(f'equivariance/{name}'))
            for name in ('happens', 'turn', 'height', 'width')
        )
        if happens >= self.prob:
            return lambda x, unit: x
        scales = [1 - (1 - self.min_scale) * u for u in scales]

        def transform(x: Tensor, unit: int) -> Tensor:
            size = [
                max(round(side // unit * scale), 1) * unit
                for side, scale in zip(x.shape[2:], scales, strict=True)
            ]
            x = F.interpolate(x.float(), size, mode='bilinear', antialias=True)
            return torch.rot90(x, int(4 * turn), (2, 3))

        return transform
