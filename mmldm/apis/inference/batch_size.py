"""How many images a GPU's free memory holds at a time."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from mmengine.logging import print_log

from mmldm.diffusion import Sampling
from mmldm.engine.generation_loop import GROUP
from mmldm.models.editors import LatentDiffusion

from .requests import Request

# Images at a time on a CPU: as in tools/test.py; more are no faster there.
DEFAULT = GROUP
# More images at a time are no faster, and progress is seen less often.
MOST = 64
# Part of the free memory to use: the memory of a batch is not quite
# proportional to its images, and is fragmented.
SHARE = 0.8


def fitting_batch_size(
    model: LatentDiffusion,
    request: Request,
    count: int,
    make: Callable[..., Any],
) -> int:
    """Images at a time that fit into the free memory.

    On a GPU, one image is generated in one step, whose memory is measured.

    Args:
        model: The model, which samples as wanted.
        request: One of the images.
        count: Number of the images.
        make: Makes the images of a batch.
    """
    device = next(model.parameters()).device
    if count <= DEFAULT or not has_own_memory(device):
        return DEFAULT
    short = model
    with suppress(ValueError):  # a grid may have its own number of steps
        short = model.sampling_by(Sampling(num_steps=1))
    needed = peak_of(
        device, lambda: make(short, [request.data_sample()], None)
    )
    free = free_memory(device)
    size = int(SHARE * free / max(needed, 1))
    size = max(1, min(size, count, MOST))
    print_log(
        f'batch_size={size}: {free / 2**30:.1f} GB of the GPU are free, an '
        f'image needs {needed / 2**30:.2f} GB',
        'current',
    )
    return size


def has_own_memory(device: torch.device) -> bool:
    """Whether a device has memory of its own, which can be asked for."""
    return device.type == 'cuda'


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU that a batch can use."""
    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device)
    return free + held - torch.cuda.memory_allocated(device)


def peak_of(device: torch.device, call: Callable[[], Any]) -> int:
    """Bytes that a call needs at most, besides those that are in use."""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call()
    return torch.cuda.max_memory_allocated(device) - before
