"""Copies between CPU and device that neither of them waits for."""

from contextlib import nullcontext, suppress

import torch
from mmengine.device import get_device
from torch import Tensor

# CUDA copies fewer bytes by itself without waiting; pinning costs more.
PINNED_BYTES = 2**16


def to_device(
    x: Tensor, device: torch.device, dtype: torch.dtype | None = None
) -> Tensor:
    """A tensor on a device; the CPU does not wait for the copy.

    Args:
        x: On the CPU, which CUDA copies from pinned memory, or elsewhere.
        device: Where it is needed.
        dtype: Its type there; None keeps it. The device converts.
    """
    device = torch.device(device)
    if device.type == 'cuda' and x.device.type == 'cpu':
        x = x.pin_memory() if x.nbytes > PINNED_BYTES else x
    x = x.to(device, non_blocking=True)
    return x if dtype is None else x.to(dtype)


class SideStream:
    """Copies that run beside the kernels of a CUDA device.

    Elsewhere, and where CUDA has no streams, they are ordinary copies.

    Args:
        device: The device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = torch.device(device)
        self.stream = None
        if self.device.type == 'cuda':
            with suppress(RuntimeError):
                self.stream = torch.cuda.Stream(self.device)

    def upload(self, x: Tensor) -> Tensor:
        """A copy of a pinned tensor on the device; see :meth:`join`."""
        with self._beside():
            return to_device(x, self.device)

    def join(self, x: Tensor) -> Tensor:
        """Let the device's next kernels wait for :meth:`upload`, and use x."""
        if self.stream is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_stream(self.stream)
            x.record_stream(current)
        return x

    def download(self, x: Tensor) -> Tensor:
        """Begin to copy a tensor of the device; see :meth:`finish`."""
        if self.stream is None:
            return x
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with self._beside():
            copied = x.to('cpu', non_blocking=True)
        x.record_stream(self.stream)
        return copied

    def finish(self, x: Tensor) -> Tensor:
        """The values of :meth:`download`; the CPU waits for this copy."""
        if self.stream is None:
            return x.cpu()
        self.stream.synchronize()
        return x

    def _beside(self):
        if self.stream is None:
            return nullcontext()
        return torch.cuda.stream(self.stream)


class Download:
    """Copies of tensors in the CPU's memory, for which it waits once.

    The copies are complete when the context is left.
    """

    def __init__(self) -> None:
        self.devices: set[torch.device] = set()

    def __call__(self, x: Tensor) -> Tensor:
        """A copy that shares no memory, also of a tensor on the CPU."""
        x = x.detach()
        on_cuda = x.device.type == 'cuda'
        if on_cuda:
            self.devices.add(x.device)
        # x.to() would pin the copy: whole checkpoints are too large for that.
        copied = torch.empty_like(x, device='cpu')
        return copied.copy_(x, non_blocking=on_cuda)

    def __enter__(self) -> 'Download':
        return self

    def __exit__(self, *error: object) -> None:
        for device in self.devices:
            torch.cuda.current_stream(device).synchronize()


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
