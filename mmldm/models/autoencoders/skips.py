"""Linear ways from images to latents and back, beside a first stage.

What they make is added to the output of the encoder and of the decoder. The
network learns what they lose.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Grey and two differences of colours, orthonormal rows.
_OPPONENT = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
COLOURS = _OPPONENT / _OPPONENT.norm(dim=1, keepdim=True)


class ImageSkip(nn.Module):
    """Carries the image, averaged over f x f pixels, and enlarges it again.

    Args:
        factor: Side f of a block, pixels.

    Attributes:
        argument: The argument of first stages that adds this way.
        channels: Number of the first channels of latents that it uses.
    """

    argument = 'image_skip'
    channels = 3

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H / f, W / f)."""
        return F.avg_pool2d(x, self.factor)

    def decode(self, z: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, 3, f h, f w)."""
        size = [side * self.factor for side in z.shape[2:]]
        return F.interpolate(z, size, mode='bicubic')


class BlockSkip(nn.Module):
    """Carries waves of f x f pixels from an image to latents, and back.

    Both directions are linear, have weights of their own, and start as the
    discrete cosine transform's waves of :func:`block_basis` and its inverse:
    the mean of each colour, then the brightness' waves of rising frequency.
    A first stage that adds them to its network starts as a simple JPEG: it
    has the fine detail, at each of its latent channels, that a network alone
    learns in tens of thousands of iterations. Chen et al. 2024
    (arXiv:2410.10733) have such shortcuts inside their network.

    Args:
        latent_channels: Number of waves, from 3 to 3 f^2.
        factor: Side f of a block, pixels.

    Attributes:
        argument: See :class:`ImageSkip`.
        channels: See there.
    """

    argument = 'block_skip'

    def __init__(self, latent_channels: int, factor: int) -> None:
        super().__init__()
        self.channels = latent_channels
        basis, deviations = block_basis(latent_channels, factor)
        square = dict(kernel_size=factor, stride=factor, bias=False)
        self.into = nn.Conv2d(3, latent_channels, **square)
        self.back = nn.ConvTranspose2d(latent_channels, 3, **square)
        # All channels have about the same deviation, as noise is the same.
        scale = deviations[:, None, None, None]
        with torch.no_grad():
            self.into.weight.copy_(basis / scale)
            self.back.weight.copy_(basis * scale)

    def encode(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, H / f, W / f)."""
        return self.into(x)

    def decode(self, z: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 3, f h, f w)."""
        return self.back(z)


def block_basis(channels: int, factor: int) -> tuple[Tensor, Tensor]:
    """Orthonormal waves (C, 3, f, f), and their usual deviations (C,).

    Amplitudes of natural images fall with the frequency (Field 1987,
    "Relations between the statistics of natural images"). The deviations,
    about twice those of photographs in [-1, 1], are f / 4 over the frequency
    in half waves per block, and 2 f for a mean; differences of colours have a
    quarter.

    Raises:
        ValueError: If ``channels`` is not from 3 to 3 f^2.
    """
    most = 3 * factor**2
    if not 3 <= channels <= most:
        raise ValueError(
            f'autoencoder.block_skip=True with latent_channels={channels} '
            f'needs 3 to {most} channels, the waves of {factor} x {factor} '
            'pixels: set autoencoder.latent_channels to that'
        )
    waves = sorted(
        ((u * u + v * v) ** 0.5, u, v, colour)
        for u in range(factor)
        for v in range(factor)
        for colour in range(3)
    )
    # Brightness first, but after the three means.
    waves.sort(key=lambda wave: (wave[0] > 0, wave[0] > 0 and wave[3] > 0))
    chosen = waves[:channels]
    rows = _cosines(factor)
    basis = torch.stack(
        [
            COLOURS[colour][:, None, None] * torch.outer(rows[u], rows[v])
            for _, u, v, colour in chosen
        ]
    )
    deviations = [
        factor * (1 / (4 * radius) if radius else 2) / (4 if colour else 1)
        for radius, _, _, colour in chosen
    ]
    return basis, torch.tensor(deviations)


def _cosines(size: int) -> Tensor:
    """Rows of the orthonormal discrete cosine transform, (size, size)."""
    places = (torch.arange(size) + 0.5) / size
    rows = (torch.pi * places * torch.arange(size)[:, None]).cos()
    return rows / rows.norm(dim=1, keepdim=True)
