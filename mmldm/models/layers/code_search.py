"""Finding the nearest codes, and vectors of a batch that become codes."""

import torch
from mmengine.dist import all_gather
from torch import Tensor

from mmldm.utils.typing import DrawNoise

# Vectors times codes whose distances are held at once: 64 MiB in float32.
MAX_DISTANCES = 2**24
# Noise that tells copies of a vector apart, relative to the vectors' rms.
COPY_NOISE = 0.01


def rows_of(z: Tensor) -> Tensor:
    """(B, C, h, w) -> (B h w, C)."""
    return z.permute(0, 2, 3, 1).flatten(0, 2)


def nearest_codes(vectors: Tensor, codes: Tensor) -> Tensor:
    """Index of the code nearest to each vector, (N, C), (n, C) -> (N,)."""
    # Half the squared distance, less what all codes have in common.
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

    Each process offers its highest, so that all agree on the same ones.

    Args:
        vectors: (B h w, dim).
        z: What they are the positions of, (B, dim, h, w).
        draw_noise: Draws the ranks.
        count: Vectors wanted.

    Returns:
        (min(count, positions of all processes), dim), the highest first.
    """
    noise = draw_noise(z.new_empty(len(z), 2, *z.shape[2:])).double()
    # Of 20480 single float32 draws 3 tie, and then order would decide.
    keys = (noise[:, 0] + 2**-24 * noise[:, 1]).flatten()
    keys, own = keys.topk(min(count, len(keys)))
    offers = torch.cat(all_gather(vectors[own]))
    keys = torch.cat(all_gather(keys))
    return offers[keys.topk(min(count, len(keys))).indices]


def with_copies(vectors: Tensor, count: int) -> Tensor:
    """``count`` vectors: the given ones, then noisy copies of them."""
    copies = torch.arange(count - len(vectors)) % len(vectors)
    # A generator of its own: all processes make the same noise.
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
