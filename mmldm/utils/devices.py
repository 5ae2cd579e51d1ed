"""Devices, checked before minutes of reading."""

import torch
from mmengine.device import get_device


def available_device(name: str | torch.device | None) -> torch.device:
    """A device that this machine has.

    Args:
        name: Such as 'cpu' or 'cuda:1'; None for the GPU, where there is one.

    Raises:
        ValueError: If there is no such device.
    """
    name = get_device() if name is None else name
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'device={str(name)!r} is not available ({reason})'
        ) from error
