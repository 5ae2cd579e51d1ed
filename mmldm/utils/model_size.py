"""Networks that would outgrow the machine, stopped while they are built."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from .memory import total_memory

# Stable Diffusion's denoiser has some 700.
MOST_MODULES = 10_000


@contextmanager
def bounded_networks(device: str = 'cpu') -> Iterator[None]:
    """Raise inside where networks get too many modules or parameters.

    A number with a zero too many in a config would otherwise fill the memory
    for minutes, until the system ends the process.

    Args:
        device: Where they are built: 'cpu', or 'meta' for a try that takes
            no memory.

    Raises:
        ValueError: If parameters exceed the memory of the machine, or modules
            :data:`MOST_MODULES`.
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
        # Not yet filled, hence not yet taken from the system.
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
