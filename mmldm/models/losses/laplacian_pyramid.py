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

    The substitute for :class:`LPIPS` where its files cannot be had: it
    compares structures of all sizes, but knows nothing of what people see.
    The pyramid is that of Burt & Adelson 1983, with a = 3/8 in their 5 x 5
    kernel; as a loss it is Lap1 of Bojanowski et al. 2018 (arXiv:1707.05776).
    The mean absolute errors of the levels are summed, which gives the sums
    over level j, with a 4^j-th of the pixels, a weight of 4^j. It is the mean
    absolute error of the images where that lies in one level (a constant,
    stripes of one pixel), and 1.35 times that for white noise in 4 levels.

    Args:
        num_levels: Levels of the pyramid, the coarsest, which is a blurred
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
            x: Images, (B, C, H, W), more than 2^(num_levels - 1) pixels a
                side.
            reference: What they should be, of the same shape.

        Raises:
            ValueError: If the shapes are others.
        """
        check_same_shape(x, reference)
        if min(x.shape[2:]) < self.min_size:
            raise ValueError(
                f'num_levels={self.num_levels} needs images of '
                f'{self.min_size} or more pixels a side, got (H, W) = '
                f'{tuple(x.shape[2:])}: '
                'set a smaller model.perceptual.num_levels'
            )
        with torch.autocast(x.device.type, enabled=False):
            # Linear: the difference of two pyramids is the difference's.
            levels = self._pyramid(x.float() - reference.float())
            return sum(level.abs().mean((1, 2, 3)) for level in levels)

    def _pyramid(self, x: Tensor) -> Iterator[Tensor]:
        """Its levels, finest first: (B, C, ceil(H / 2^i), ceil(W / 2^i))."""
        for _ in range(self.num_levels - 1):
            coarse = self._blur(x, stride=2)
            spread = torch.zeros_like(x)
            spread[..., ::2, ::2] = coarse
            # 4: three in four of the blurred values are the zeros.
            yield x - 4 * self._blur(spread)
            x = coarse
        yield x

    def _blur(self, x: Tensor, stride: int = 1) -> Tensor:
        """Each channel's own; mirrored at the borders, (B, C, H, W)."""
        planes = F.pad(x, (2, 2, 2, 2), mode='reflect').flatten(0, 1)
        blurred = F.conv2d(planes[:, None], self.kernel, stride=stride)
        return blurred.unflatten(0, x.shape[:2]).squeeze(2)


def check_same_shape(x: Tensor, reference: Tensor) -> None:
    """Raise unless two batches of images have one shape."""
    if x.shape != reference.shape:
        raise ValueError(
            f'images of shape {tuple(x.shape)} are compared with references '
            f'of shape {tuple(reference.shape)}: give two of one shape'
        )
