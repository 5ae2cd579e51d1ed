"""Operations and memory of a call of a network."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

Shape = Sequence[int]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any):
    """Operations of an attention."""
    return sdpa_flop_count(query, key, value)


def _attention_backward(
    grad: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any
):
    """Operations of its backward pass."""
    return sdpa_backward_flop_count(grad, query, key, value)


# torch does not count its own attention on a CPU.
_aten = torch.ops.aten
CPU_ATTENTION = {
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        _attention_backward
    ),
}


@dataclass(frozen=True)
class Cost:
    """What a network, or a part of it, costs.

    Args:
        name: What is run.
        parameters: Number of parameters; None where they count elsewhere.
        operations: Floating-point operations of matrix products,
            convolutions and attention, a multiplication and an addition being
            two; None if it is not run.
        memory: Bytes of the largest set of tensors that exist at a time,
            without the weights; None if it is not run.
    """

    name: str
    parameters: int | None
    operations: int | None
    memory: int | None


def measure(name: str, network: nn.Module, run: Callable) -> Cost:
    """The cost of a call without gradients."""
    with torch.no_grad():
        return _measured(name, network, run)


def measure_training(denoiser: nn.Module, inputs: tuple) -> Cost:
    """The cost of a forward and a backward pass."""
    return _measured(
        'step', denoiser, lambda: denoiser(*inputs).sum().backward()
    )


def _measured(name: str, network: nn.Module, run: Callable) -> Cost:
    with PeakMemory(network) as peak, _counter() as counter:
        run()
    operations = counter.get_total_flops()
    return Cost(name, parameter_count(network), operations, peak.most)


def _counter() -> FlopCounterMode:
    return FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)


def parameter_count(network: nn.Module) -> int:
    """Number of parameters, those that are shared once."""
    return sum(p.numel() for p in network.parameters())


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of tensors that are made inside the context.

    Args:
        network: A network whose weights do not count.

    Attributes:
        most: The greatest number of bytes at a time.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.most = self._now = 0
        weights = [*network.parameters(), *network.buffers()]
        self._known = {w.untyped_storage()._cdata for w in weights}

    def __torch_dispatch__(
        self, func: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and count what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self._now += storage.nbytes()
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._free, key, storage.nbytes())

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size
