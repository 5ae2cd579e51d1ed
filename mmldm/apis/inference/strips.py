"""Pictures of a process: a strip of its states, and an animation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmldm.visualization import assemble, write_image
from mmldm.visualization.grid import most_tiles

FRAME = 120  # milliseconds
LAST_FRAME = 1500


def write_strip(frames: Sequence[np.ndarray], path: Path) -> None:
    """Write frames as one row, evenly chosen where they are too many.

    Args:
        frames: uint8 RGB (H, W, 3), equally large.
        path: The PNG file.
    """
    chosen = evenly(len(frames), most_tiles(frames[0].shape[1]))
    write_image(assemble([[frames[i] for i in chosen]]), path)


def write_animation(frames: Sequence[np.ndarray], path: Path) -> None:
    """Write frames as a lossless animated WebP, which repeats.

    Args:
        frames: uint8 RGB (H, W, 3), equally large.
        path: The WebP file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(
        path,
        'WEBP',
        save_all=True,
        append_images=pictures[1:],
        duration=[FRAME] * (len(frames) - 1) + [LAST_FRAME],
        loop=0,
        lossless=True,
    )


def side_by_side(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images in one row with gaps, as many as a picture may have."""
    return assemble([images[: most_tiles(images[0].shape[1])]])


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` indices, with the first and the last."""
    if count <= most:
        return [*range(count)]
    if most == 1:
        return [count - 1]
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
