"""Exponential moving average of the trained weights."""

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from mmldm.registry import HOOKS
from mmldm.utils.sharding import like, own_part

from ..optim_wrapper import named_wrappers


@HOOKS.register_module()
class ModuleEMAHook(Hook):
    """Exponential moving average of the trainable weights of some modules.

    The decay is min(decay, (1 + n) / (10 + n)) after n steps of the
    optimizer, as in the original latent diffusion. Validation uses the
    average, and checkpoints hold it as ``state_dict``: loading a checkpoint
    gives the average. The weights in training are under ``raw_state_dict``,
    which ``resume`` loads.

    Args:
        modules: Names of the model's averaged attributes; None for the
            ``averaged_parts`` of its class.
        decay: Largest decay, in [0, 1).
    """

    priority = 'NORMAL'

    def __init__(
        self,
        modules: Sequence[str] | None = None,
        decay: float = 0.9999,
    ) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f'decay={decay} must be in [0, 1)')
        self.modules = modules
        self.decay = decay
        self.num_updates = 0
        self.raw: dict[str, Tensor] = {}
        self.average: dict[str, Tensor] = {}

    def before_run(self, runner) -> None:
        """Find the weights to average."""
        model = runner.bare_model
        if self.modules is None:
            self.modules = _averaged_parts(model)
        for module in self.modules:
            if not hasattr(model, module):
                raise ValueError(
                    f'ModuleEMAHook.modules names {module!r}, '
                    f'which {type(model).__name__} lacks: remove it'
                )
        self.raw = {
            name: weight
            for name, weight in model.named_parameters()
            if weight.requires_grad and name.split('.')[0] in self.modules
        }

    def before_train(self, runner) -> None:
        """Start from the loaded weights, unless resumed."""
        if not self.average:
            self.average = _copy(self.raw)

    def after_train_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Update the average once for each step of the optimizer."""
        wrappers = named_wrappers(runner.optim_wrapper)
        name = f'optim_wrapper.{self.modules[0]}'
        if not wrappers.get(name, [*wrappers.values()][0]).should_update():
            return
        self.num_updates += 1
        n = self.num_updates
        decay = min(self.decay, (1 + n) / (10 + n))
        torch._foreach_lerp_(
            [own_part(average) for average in self.average.values()],
            [own_part(weight.detach()) for weight in self.raw.values()],
            1 - decay,
        )

    def before_val_epoch(self, runner) -> None:
        """Put the average into the model."""
        self._swap()

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Put the trained weights back, before a best model is saved."""
        self._swap()

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Store the average as ``state_dict``, and the raw weights too."""
        # The runner copies what it stores.
        raw = {name: weight.detach() for name, weight in self.raw.items()}
        checkpoint['raw_state_dict'] = raw
        checkpoint['state_dict'].update(self.average)
        checkpoint['ema_num_updates'] = self.num_updates

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """On resume, load the average; the runner loads the raw weights."""
        if not runner._resume or 'raw_state_dict' not in checkpoint:
            return
        stored = checkpoint['state_dict']
        # The runner refuses weights that are missing or of another shape.
        self.average = {
            name: like(stored[name], weight)
            for name, weight in self.raw.items()
            if name in stored
        }
        self.num_updates = checkpoint['ema_num_updates']

    @torch.no_grad()
    def _swap(self) -> None:
        for name, average in self.average.items():
            raw = self.raw[name].clone()
            self.raw[name].copy_(average)
            average.copy_(raw)


def _averaged_parts(model: nn.Module) -> tuple[str, ...]:
    parts = getattr(model, 'averaged_parts', ())
    if not parts:
        raise ValueError(
            f'{type(model).__name__}.averaged_parts is missing: set modules '
            'of ModuleEMAHook'
        )
    return parts


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: w.detach().clone() for name, w in weights.items()}
