"""The L1 error of a Laplacian pyramid."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_positive


@MODELS.register_module()
class LaplacianPyramidLoss(nn.Module):
    """L1 error of the levels of a Laplacian pyramid; needs no weights.

    It replaces :class:`LPIPS` where the files of that are not available. It
    compares structures of all sizes, but knows nothing about perception. The
    pyramid is that of Burt & Adelson 1983, with a = 3/8 in their 5 x 5 kernel;
    the loss is Lap1 of Bojanowski et al. 2018 (arXiv:1707.05776). The mean
    absolute errors of the levels are summed. As level j has a 4^j-th of the
    pixels, sums over it have the weight 4^j. The loss is the mean absolute
    error of the images if that lies in one level (a constant, stripes of one
    pixel), and 1.35 times as much for white noise in 4 levels.

    Args:
        num_levels: Number of levels of the pyramid, including the coarsest, a
            blurred image; 1 is the mean absolute error.
            image, included; 1 is the mean absolute error.

    Raises:
        ValueError: If ``num_levels`` is not positive.
    """

    def __init__(self, num_levels: int = 4) -> None:
        super().__init__()
        check_positive('num_levels', num_levels)
        self.num_levels = num_levels
        self.min_size = 2 ** (num_levels - 1) + 1
        taps = torch.tensor([1.0, 4, 6, 4, 1]) / 16
        kernel = torch.outer(taps, taps).view(1, 1, 5, 5)
        self.register_buffer('kernel', kernel, persistent=False)

    def forward(self, x: Tensor, reference: Tensor) -> Tensor:
        """The error of every image, (B,), float32.

        Args:
            x: Images, (B, C, H, W), with sides of more than
                2^(num_levels - 1) pixels.
            reference: Target images, of the same shape.

        Raises:
            ValueError: If the shapes differ or are too small.
        """
        check_same_shape(x, reference)
        if min(x.shape[2:]) < self.min_size:
            raise ValueError(
                f'num_levels={self.num_levels} needs images of '
                f'{self.min_size} or more pixels per side, got (H, W) = '
                f'{tuple(x.shape[2:])}: '
                'set a smaller model.perceptual.num_levels'
            )
        with torch.autocast(x.device.type, enabled=False):
            # Linear: two pyramids differ by the pyramid of the difference.
            levels = self._pyramid(x.float() - reference.float())
            return sum(level.abs().mean((1, 2, 3)) for level in levels)

    def _pyramid(self, x: Tensor) -> Iterator[Tensor]:
        """Levels, finest first: (B, C, ceil(H / 2^i), ceil(W / 2^i))."""
        for _ in range(self.num_levels - 1):
            coarse = self._blur(x, stride=2)
            spread = torch.zeros_like(x)
            spread[..., ::2, ::2] = coarse
            # 4, as three of four blurred values are inserted zeros.
            yield x - 4 * self._blur(spread)
            x = coarse
        yield x

    def _blur(self, x: Tensor, stride: int = 1) -> Tensor:
        """Blur each channel, mirrored at the borders, (B, C, H, W)."""
        planes = F.pad(x, (2, 2, 2, 2), mode='reflect').flatten(0, 1)
        blurred = F.conv2d(planes[:, None], self.kernel, stride=stride)
        return blurred.unflatten(0, x.shape[:2]).squeeze(2)


def check_same_shape(x: Tensor, reference: Tensor) -> None:
    """Raise unless two batches of images have the same shape."""
    if x.shape != reference.shape:
        raise ValueError(
            f'images of shape {tuple(x.shape)} are compared with references '
            f'of shape {tuple(reference.shape)}: give both the same shape'
        )
