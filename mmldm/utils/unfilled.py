"""Networks without random numbers, for weights that are loaded at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

RANDOM = {
    *(Tensor.normal_, Tensor.uniform_),
    *(init.normal_, init.uniform_, init.trunc_normal_),
    *(init.kaiming_normal_, init.kaiming_uniform_),
    *(init.xavier_normal_, init.xavier_uniform_),
}


class UnfilledNetworks(TorchFunctionMode):
    """A context in which networks get no random weights.

    All weights that are otherwise random have any values: load them strictly.
    Stable Diffusion's denoiser has 860 million of them. Constants are set as
    usual, and so are tensors that ``torch.randn`` and the like make.
    """

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Leave a tensor alone that a random function would fill."""
        kwargs = kwargs or {}
        if func in RANDOM:
            return args[0] if args else kwargs['tensor']
        return func(*args, **kwargs)
