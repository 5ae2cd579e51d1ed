"""Communication between processes, in addition to mmengine's."""

from collections.abc import Iterable

import torch
from mmengine.dist import all_reduce, broadcast, get_world_size
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average the gradients over all processes.

    All gradients are sent in one message. The same parameters must have
    gradients in all processes.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    if get_world_size() == 1 or not grads:
        return
    flat = _flatten_dense_tensors(grads)
    all_reduce(flat, 'mean')
    torch._foreach_copy_(grads, _unflatten_dense_tensors(flat, grads))


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
