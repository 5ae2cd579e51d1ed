"""What all programs that show curves have in common."""

import importlib.util
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.visualization import BaseVisBackend
from torch import Tensor

# Keys of a log entry that tell where it is on the x-axis.
STEPS = {'iter', 'step', 'epoch'}


class CurveBackend(BaseVisBackend):
    """Sends scalars and pictures to a program that shows them.

    It differs from mmengine's backends of the same names, which log values by
    their own counter (W&B), write to the current folder (Aim), or fail with
    today's packages (MLflow). Values are logged at their iteration, those of
    training as ``train/KEY`` and those of validation as ``val/KEY``. The
    program is started by the first value, so that a test starts none. If it
    fails, training goes on: a warning says so, and ``scalars.json`` has all
    values in any case.

    Args:
        save_dir: Folder of one start of a training, of mmengine's
            ``Visualizer``.
        init_kwargs: Arguments of the function that starts a run; they
            replace ours.
    """

    package = ''

    def __init__(
        self, save_dir: str, init_kwargs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir)
        self.init_kwargs = dict(init_kwargs or {})
        self.config = Config()
        self.run: Any = None
        self.first_step = 0
        self.failed = False

    @property
    def work_dir(self) -> Path:
        """The work directory of the training."""
        return Path(self.config.get('work_dir') or self._save_dir).resolve()

    @property
    @abstractmethod
    def how_to_open(self) -> str:
        """A command or a place that shows the curves."""

    @property
    def experiment(self) -> Any:
        """The program's object of a run, which is started if necessary."""
        if not self._env_initialized:
            self._init_env()
            self._env_initialized = True
        return self.run

    @abstractmethod
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send scalars, by their names."""

    @abstractmethod
    def show(self, name: str, image: np.ndarray, step: int) -> None:
        """Send a picture, uint8 RGB (H, W, 3)."""

    @abstractmethod
    def finish(self) -> None:
        """End the run."""

    def add_config(self, config: Config, **kwargs) -> None:
        """Keep the config for the start of the run.

        Raises:
            ImportError: If the package is not installed.
        """
        self.config = config
        if importlib.util.find_spec(self.package) is None:
            raise ImportError(
                f'{self.package} is not installed', name=self.package
            )

    def add_scalar(
        self, name: str, value: float, step: int = 0, **kwargs
    ) -> None:
        """Send a scalar."""
        self._send(self.log, {name: value}, step)

    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs,
    ) -> None:
        """Send the scalars of an entry of the log."""
        # Validations log no iteration.
        phase = 'train' if 'iter' in scalar_dict else 'val'
        values = {
            f'{phase}/{key}': float(value)
            for key, value in scalar_dict.items()
            if key not in STEPS and isinstance(value, Real | Tensor)
        }
        self._send(self.log, values, step)

    def add_image(
        self, name: str, image: np.ndarray, step: int = 0, **kwargs
    ) -> None:
        """Send a picture, uint8 RGB (H, W, 3)."""
        self._send(self.show, name, image, step)

    def close(self) -> None:
        """End the run, if one was started."""
        if self._env_initialized and not self.failed:
            self._try(self.finish)
            self._env_initialized = False

    def _send(self, send: Callable[..., None], *values: Any) -> None:
        """Send values, the last one the step; the first call starts a run."""
        if self.failed:
            return
        if not self._env_initialized:
            self.first_step = values[-1]
            self._try(lambda: self.experiment)
        if not self.failed:
            self._try(send, *values)

    def _try(self, call: Callable[..., Any], *values: Any) -> None:
        """Call what may fail; an error is a warning, and the last one."""
        try:
            call(*values)
        except Exception as error:
            self.failed = True
            print_log(
                f'{type(self).__name__} has failed and is not used any more, '
                f'but training goes on: {type(error).__name__}: {error}',
                logger='current',
                level=logging.WARNING,
            )
