"""Norms of the gradients that an optimizer's step uses."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mmldm.utils.sharding import total_norm


class GradientNorms:
    """Measures the gradients of a model's parts just before a step.

    Args:
        model: Its direct children are the parts.
        optimizers: All optimizers of the training.
    """

    def __init__(
        self, model: nn.Module, optimizers: Mapping[str, Optimizer]
    ) -> None:
        self.norms: dict[str, Tensor] = {}
        self.parts = {
            name: [p for p in part.parameters() if p.requires_grad]
            for name, part in model.named_children()
        }
        # Whose next step is measured.
        self.due: set[int] = set()
        self.optimizers = [*optimizers.values()]
        self.handles = [
            optimizer.register_step_pre_hook(self._before_step)
            for optimizer in self.optimizers
        ]

    def ask(self) -> None:
        """Measure at the next step of each optimizer."""
        self.due = {*map(id, self.optimizers)}

    def take(self) -> dict[str, Tensor]:
        """Norms by part, each (), measured since the last call."""
        norms, self.norms = self.norms, {}
        return norms

    def close(self) -> None:
        """Leave the optimizers as they were."""
        for handle in self.handles:
            handle.remove()

    def _before_step(self, optimizer: Optimizer, *_) -> None:
        if id(optimizer) not in self.due:
            return
        self.due.remove(id(optimizer))
        own = {
            id(p) for group in optimizer.param_groups for p in group['params']
        }
        for name, parameters in self.parts.items():
            grads = [
                p.grad
                for p in parameters
                if id(p) in own
                and p.grad is not None
                and p.grad.layout == torch.strided
            ]
            if grads:
                self.norms[name] = total_norm(grads)
