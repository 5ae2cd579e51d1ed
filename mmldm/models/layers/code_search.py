"""Search for nearest codes, and choice of vectors that become codes."""

import torch
from mmengine.dist import all_gather
from torch import Tensor

from mmldm.utils.typing import DrawNoise

# Most distances that are held at once: 64 MiB in float32.
MAX_DISTANCES = 2**24
# Noise that makes copies of a vector differ, relative to the vectors' rms.
COPY_NOISE = 0.01


def rows_of(z: Tensor) -> Tensor:
    """Vectors of all positions, (B, C, h, w) -> (B h w, C)."""
    return z.permute(0, 2, 3, 1).flatten(0, 2)


def nearest_codes(vectors: Tensor, codes: Tensor) -> Tensor:
    """Index of the code nearest to each vector, (N, C), (n, C) -> (N,)."""
    # Half of the squared distance, without the terms equal for all codes.
    half_squares = codes.square().sum(1) / 2
    rows = max(1, MAX_DISTANCES // len(codes))
    with torch.autocast(vectors.device.type, enabled=False):
        return torch.cat(
            [
                torch.addmm(half_squares, part, codes.T, alpha=-1).argmin(1)
                for part in vectors.split(rows)
            ]
        )


def elect_vectors(
    vectors: Tensor, z: Tensor, draw_noise: DrawNoise, count: int
) -> Tensor:
    """The vectors of the global batch with the highest random ranks.

    Each process offers its highest ones. All processes then choose the same.

    Args:
        vectors: Vectors of all positions, (B h w, dim).
        z: The map with these vectors, (B, dim, h, w).
        draw_noise: Makes the random ranks.
        count: Number of vectors wanted.

    Returns:
        (min(count, positions of all processes), dim), highest rank first.
    """
    noise = draw_noise(z.new_empty(len(z), 2, *z.shape[2:])).double()
    # float64, as 3 of 20480 float32 ranks are equal, and then order decides.
    keys = (noise[:, 0] + 2**-24 * noise[:, 1]).flatten()
    keys, own = keys.topk(min(count, len(keys)))
    offers = torch.cat(all_gather(vectors[own]))
    keys = torch.cat(all_gather(keys))
    return offers[keys.topk(min(count, len(keys))).indices]


def with_copies(vectors: Tensor, count: int) -> Tensor:
    """``count`` vectors: the given ones, then noisy copies of these."""
    copies = torch.arange(count - len(vectors)) % len(vectors)
    # An own generator gives the same noise in all processes.
    noise = torch.randn(
        len(copies),
        vectors.shape[1],
        generator=torch.Generator().manual_seed(0),
    ).to(vectors)
    rms = vectors.square().mean().sqrt()
    copies = vectors[copies.to(vectors.device)] + COPY_NOISE * rms * noise
    return torch.cat([vectors, copies])


def usage_logs(sizes: Tensor) -> dict[str, Tensor]:
    """Perplexity and usage of the codes of a batch."""
    share = sizes / sizes.sum()
    return dict(
        perplexity=torch.special.entr(share).sum().exp(),
        code_usage=(sizes > 0).float().mean(),
    )
