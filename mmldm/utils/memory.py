"""Memory of the machine, and its use by large tensors on a CPU."""

import contextlib
import ctypes
import os
from pathlib import Path

# Constants of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
# Limits of a container, by control groups 2 and 1.
LIMITS = (
    Path('/sys/fs/cgroup/memory.max'),
    Path('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
)


def keep_freed_memory() -> bool:
    """Make the C library keep the memory of freed tensors for new ones.

    By default, glibc returns large blocks to the system and requests them
    again, which costs a page fault every 4 kB: a training step of 274 M
    parameters takes 1.2 to 1.4 times as long (measured, 2 cores). The peak
    memory grows by a few per cent.

    Returns:
        Whether the C library supports it, as glibc does.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))


def return_freed_memory() -> None:
    """Give freed memory back to the system, where glibc manages it."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)


def check_images_fit(name: str, number: int, pixels: float) -> None:
    """Raise if a number of images at a time exceeds the memory.

    The estimate is a lower bound: the pixels, as uint8 and float32 RGB, and a
    kilobyte of objects for each image. A network needs more.

    Args:
        name: Name of the number, for the message.
        number: Number of images at a time.
        pixels: Pixels of one image, height times width.

    Raises:
        ValueError: If they do not fit.
    """
    needed, there = number * (1024 + 15 * pixels), total_memory()
    if needed > there:
        raise ValueError(
            f'{name}={number} images of {pixels:g} pixels need '
            f'{needed / 2**30:.0f} GB or more, but the machine has '
            f'{there / 2**30:.0f} GB: lower {name} or the size of the images'
        )


def total_memory() -> int:
    """Memory of the machine, or of its container if that is less, bytes."""
    total = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    for path in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # 'max' means no limit
            total = min(total, int(path.read_text()))
    return total
