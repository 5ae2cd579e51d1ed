"""Copies to the device of a model that do not wait for it."""

import torch
from mmengine.device import get_device
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; the CPU does not wait for the copy.

    CUDA copies in the background from pinned memory only.
    """
    if device.type == 'cuda' and x.device.type == 'cpu':
        x = x.pin_memory()
    return x.to(device, non_blocking=True)


def available_device(name: str | torch.device | None) -> torch.device:
    """The device with this name, if it is available.

    Args:
        name: Name such as 'cpu' or 'cuda:1'; None for the GPU, if there is
            one.

    Raises:
        ValueError: If the device is not available.
    """
    name = get_device() if name is None else name
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'device={str(name)!r} is not available ({reason})'
        ) from error
