"""Memory of large tensors on a CPU."""

import contextlib
import ctypes
import os
from pathlib import Path

# Of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
# What a container may use, of control groups 2 and 1.
LIMITS = (
    Path('/sys/fs/cgroup/memory.max'),
    Path('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
)


def keep_freed_memory() -> bool:
    """Have the C library keep what freed tensors leave for the next ones.

    By default glibc gives large blocks back to the system and asks for them
    again, which costs a page fault every 4 kB: a train step of 274 M
    parameters takes 1.2 to 1.4 times as long (measured, 2 cores). The peak
    of memory grows by a few per cent.

    Returns:
        Whether the C library can do so: glibc's can.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))


def check_images_fit(name: str, number: int, pixels: float) -> None:
    """Raise where so many images at a time exceed any memory there is.

    Counted are the pixels alone, as uint8 and float32 RGB, and a kilobyte of
    objects for each image: what a network needs besides comes on top.

    Args:
        name: Of the number, for the message.
        number: Images at a time.
        pixels: Of one image, height times width.

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
    """Bytes that this process may use: the machine's, or its container's."""
    total = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    for path in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # 'max' is no number
            total = min(total, int(path.read_text()))
    return total
