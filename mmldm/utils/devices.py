"""Copies to the device of a model that do not wait for it."""

import torch
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; the CPU does not wait for the copy.

    CUDA copies in the background from pinned memory only.
    """
    if device.type == 'cuda' and x.device.type == 'cpu':
        x = x.pin_memory()
    return x.to(device, non_blocking=True)
