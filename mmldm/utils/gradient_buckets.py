"""Averages of gradients over processes, made while backward runs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

# Bytes of a message; as of torch's DistributedDataParallel.
BUCKET = 25 * 2**20


class Message(NamedTuple):
    """Gradients on their way.

    Attributes:
        work: The running sum over the processes.
        flat: The gradients in one piece, divided by the number of processes.
        grads: The tensors that get the average.
    """

    work: torch.distributed.Work
    flat: Tensor
    grads: list[Tensor]


class GradientBuckets:
    """Sends gradients to the other processes as soon as a bucket is full.

    The last layers come first, as their gradients are ready first. Buckets
    are sent in one order by all processes, and the same parameters must have
    gradients in all of them. A single process does nothing.

    Args:
        parameters: Parameters of a module, in the order of the module.
        size: Largest bucket, bytes; a larger parameter has its own.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], size: int = BUCKET
    ) -> None:
        self.buckets: list[list[nn.Parameter]] = []
        self._active = False
        self._messages: list[Message] = []
        if get_world_size() == 1:
            return
        trained = [p for p in parameters if p.requires_grad]
        self.buckets = _filled(reversed(trained), size)
        self._missing = [len(bucket) for bucket in self.buckets]
        for i, bucket in enumerate(self.buckets):
            for parameter in bucket:
                parameter.register_post_accumulate_grad_hook(
                    lambda _, i=i: self._note(i)
                )

    @contextmanager
    def averaging(self) -> Iterator[None]:
        """Average the gradients that one backward pass inside completes."""
        self._active = True
        self._missing = [len(bucket) for bucket in self.buckets]
        try:
            yield
        finally:
            self._active = False
        while len(self._messages) < len(self.buckets):
            self._send()  # buckets with parameters that have no gradient
        for work, flat, grads in self._messages:
            work.wait()
            if grads:
                parts = _unflatten_dense_tensors(flat, grads)
                torch._foreach_copy_(grads, parts)
        self._messages = []

    def _note(self, index: int) -> None:
        """Count a gradient that is ready; send the buckets that are full."""
        if not self._active:
            return
        self._missing[index] -= 1
        while len(self._messages) < len(self.buckets):
            if self._missing[len(self._messages)]:
                return
            self._send()

    def _send(self) -> None:
        """Send the next bucket."""
        bucket = self.buckets[len(self._messages)]
        grads = [p.grad for p in bucket if p.grad is not None]
        flat = torch.zeros(1, device=bucket[0].device)
        if grads:
            flat = _flatten_dense_tensors(grads) / get_world_size()
        work = torch.distributed.all_reduce(flat, async_op=True)
        self._messages.append(Message(work, flat, grads))


def _filled(
    parameters: Iterable[nn.Parameter], size: int
) -> list[list[nn.Parameter]]:
    """Parameters by bucket; those of a bucket have one type."""
    buckets: list[list[nn.Parameter]] = []
    full = 0
    for parameter in parameters:
        if (
            not buckets
            or full + parameter.nbytes > size
            or parameter.dtype != buckets[-1][0].dtype
        ):
            buckets.append([])
            full = 0
        buckets[-1].append(parameter)
        full += parameter.nbytes
    return buckets
