"""Results on a CPU that do not depend on the number of threads."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def same_rounding(device: torch.device) -> Iterator[None]:
    """Use one thread on a CPU, as rounding depends on their number."""
    threads = torch.get_num_threads()
    if device.type != 'cpu' or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
