"""Largest memory of a process, from a moment on.

On a GPU, what its allocator has given out; on a CPU, what is resident.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

STATUS, RESET = Path('/proc/self/status'), Path('/proc/self/clear_refs')


def forget_peak(device: str) -> float:
    """Begin to measure; MiB in use now."""
    if device.startswith('cuda'):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):  # only Linux can forget
            RESET.write_text('5')
    return peak_memory(device)


def peak_memory(device: str) -> float:
    """Largest memory since :func:`forget_peak`, MiB."""
    if device.startswith('cuda'):
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    lines = STATUS.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith('VmHWM'))
    return int(line.split()[1]) / 2**10
