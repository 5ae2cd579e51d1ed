"""A bound on networks that would exceed the memory while they are built."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from .memory import total_memory

# Stable Diffusion's denoiser has about 700.
MOST_MODULES = 10_000


@contextmanager
def bounded_networks(device: str = 'cpu') -> Iterator[None]:
    """Raise inside the context if networks become too large.

    Otherwise, a number with a zero too many in a config would fill the memory
    for minutes, until the system ends the process.

    Args:
        device: Device of the networks: 'cpu', or 'meta' for a trial without
            memory.

    Raises:
        ValueError: If the parameters exceed the machine's memory, or there
            are more than :data:`MOST_MODULES` modules.
    """
    memory = total_memory()
    modules = size = 0

    def count_module(module: nn.Module, name: str, child: nn.Module) -> None:
        nonlocal modules
        modules += 1
        if modules > MOST_MODULES:
            raise ValueError(
                f'the model has more than {MOST_MODULES} modules: lower its '
                'numbers of blocks or layers'
            )

    def count_size(module: nn.Module, name: str, weight: Tensor) -> None:
        nonlocal size
        # Parameters are not filled yet and so do not use memory yet.
        if weight is not None and weight.device.type == device:
            size += weight.numel() * weight.element_size()
        if size > memory:
            raise ValueError(
                f'the parameters of the model need {size / 2**30:.0f} GB or '
                f'more, but the machine has {memory / 2**30:.0f} GB: lower '
                'its channels, widths or numbers of layers'
            )

    handles = [
        register_module_module_registration_hook(count_module),
        register_module_parameter_registration_hook(count_size),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
