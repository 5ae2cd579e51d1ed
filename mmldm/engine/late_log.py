"""The values of a training's log, read without stopping its device."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from mmengine.hooks import LoggerHook
from torch import Tensor

from .late_values import LateValues
from .optim_wrapper import gradient_norms


class LateLog(LateValues):
    """:class:`LateValues` that are logged, and stop a training if not finite.

    Checkpoints read all of them before anything is stored.

    Args:
        runner: The runner.
    """

    def __init__(self, runner: Any) -> None:
        super().__init__()
        self.runner = runner

    def is_due(self, batch_index: int) -> bool:
        """Whether a line of the log follows the batch of an index."""
        length = len(self.runner.train_dataloader)
        return any(
            _writes(hook, batch_index + 1, length)
            for hook in self.runner.hooks
            if isinstance(hook, LoggerHook)
        )

    def record(
        self, iteration: int, outputs: Mapping[str, Tensor], images: str
    ) -> None:
        """Collect the values of an iteration.

        Args:
            iteration: Its number, counted from 1.
            outputs: Values to log, by name.
            images: Names of its images, for an error.
        """
        for norm in gradient_norms(self.runner.optim_wrapper):
            self.add(dict(grad_norm=norm), self._log)
        self.add(outputs, partial(self._check, iteration, images))

    def _check(
        self, iteration: int, images: str, values: dict[str, float]
    ) -> None:
        """Log the values of an iteration, or raise if one is not finite."""
        if not all(map(math.isfinite, values.values())):
            terms = ', '.join(f'{k}={v:.4g}' for k, v in values.items())
            raise FloatingPointError(
                f'the loss of iteration {iteration} is not finite '
                f'({terms}){images}: {self.runner.advice()}'
            )
        self._log(values)

    def _log(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.runner.message_hub.update_scalar(f'train/{name}', value)


def _writes(hook: LoggerHook, done: int, length: int) -> bool:
    """Whether a hook writes a line of the log.

    Args:
        hook: The hook.
        done: Batches of the epoch until now.
        length: Batches of the epoch.
    """
    if done % hook.interval == 0:
        return True
    # A short epoch, or the rest of one, has a line of its own.
    return done == length and (not hook.ignore_last or length <= hook.interval)
