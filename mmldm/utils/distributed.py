"""Communication between processes, in addition to mmengine's."""

import time
from itertools import count

import torch
from mmengine.dist import broadcast, get_world_size
from torch import Tensor, nn

# Seconds between two looks at the other processes.
LOOK = 0.05
# Makes the keys of meetings unique.
_meetings = count()


def wait_for_all(what: str) -> None:
    """Wait until all processes are here, however long their work takes.

    Collective operations end a process that waits longer than
    ``env_cfg.dist_cfg.timeout``. This wait has no limit: if a process dies,
    the launcher ends the others.

    Args:
        what: Name of the place; all processes visit the same places in the
            same order.
    """
    world = get_world_size()
    if world == 1:
        return
    store = torch.distributed.distributed_c10d._get_default_store()
    key = f'mmldm/{what}/{next(_meetings)}'
    store.add(key, 1)
    while store.add(key, 0) < world:
        time.sleep(LOOK)


def broadcast_state(module: nn.Module) -> None:
    """Send the parameters and buffers of the first process to all."""
    tensors: list[Tensor] = [*module.parameters(), *module.buffers()]
    with torch.no_grad():
        for tensor in tensors:
            broadcast(tensor, src=0)


def leave_process_group() -> None:
    """Close the connections to other processes, if there are any.

    A process that ends with open connections is sometimes aborted (SIGABRT in
    a thread of gloo), after all its work is done.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
