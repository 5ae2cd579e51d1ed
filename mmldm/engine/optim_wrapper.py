"""Optimizer wrappers that do not wait, and for mixed precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmldm.registry import OPTIM_WRAPPERS
from mmldm.utils import check_choice


def named_wrappers(optim_wrapper) -> dict[str, OptimWrapper]:
    """All single optimizer wrappers, by config key."""
    parts = getattr(optim_wrapper, 'optim_wrappers', None)
    if parts is None:
        return {'optim_wrapper': optim_wrapper}
    return {f'optim_wrapper.{name}': part for name, part in parts.items()}


def gradient_norms(optim_wrapper) -> Iterator[Tensor]:
    """The norms of the gradients that wrappers clipped since the last call."""
    for wrapper in named_wrappers(optim_wrapper).values():
        norm = getattr(wrapper, 'norm', None)
        if norm is not None:
            wrapper.norm = None
            yield norm


@OPTIM_WRAPPERS.register_module(name='OptimWrapper')
class LateNormOptimWrapper(OptimWrapper):
    """``OptimWrapper`` that keeps the clipped norm for the training loop.

    mmengine's reads it at once, for which the CPU waits for the GPU.
    """

    norm: Tensor | None = None

    def _clip_grad(self) -> None:
        """See ``OptimWrapper``."""
        weights = [
            weight
            for group in self.optimizer.param_groups
            for weight in group['params']
            if weight.grad is not None
        ]
        if weights:
            self.norm = self.clip_func(weights, **self.clip_grad_kwargs)


DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16}


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(LateNormOptimWrapper):
    """``OptimWrapper`` with autocast, on the CPU too.

    mmengine's ``AmpOptimWrapper`` needs a GPU. float16 gradients are scaled
    (Micikevicius et al. 2018); bfloat16 has float32's range and needs none.

    Args:
        dtype: Precision of the forward pass: 'float16' or 'bfloat16'.
        kwargs: Arguments of ``OptimWrapper``.
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs) -> None:
        super().__init__(**kwargs)
        check_choice('optim_wrapper.dtype', dtype, DTYPES)
        self.dtype = DTYPES[dtype]
        self.scaler = torch.amp.GradScaler(
            get_device(), enabled=dtype == 'float16'
        )

    @property
    def loss_scale(self) -> float:
        """The present factor of the gradients."""
        return self.scaler.get_scale()

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Context of autocast, without synchronisation while accumulating."""
        with (
            super().optim_context(model),
            torch.autocast(get_device(), dtype=self.dtype),
        ):
            yield

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Add the gradients of the scaled loss."""
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs) -> None:
        """Do one step, or none if scaled gradients overflowed."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict:
        """The state of ``OptimWrapper``, and that of the scaler."""
        return {**super().state_dict(), 'scaler': self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a :meth:`state_dict`; the scaler's state may be missing."""
        state_dict = dict(state_dict)
        if scaler := state_dict.pop('scaler', None):
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)
