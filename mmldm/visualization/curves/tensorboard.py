"""Curves in TensorBoard."""

import importlib.util
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmldm.registry import VISBACKENDS

from .base import CurveBackend

# Seconds after which values are in the file; TensorBoard reads it as often.
FLUSH = 10


@VISBACKENDS.register_module()
class TensorboardVisBackend(CurveBackend):
    """Files for TensorBoard, in the folder ``tensorboard`` of a training.

    A training has one curve, however often it was resumed: values of
    iterations that are run again replace the older ones. Without the package
    ``tensorboard``, nothing is written, and the log says how to get it.
    """

    package = 'tensorboard'

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)

    @property
    def installed(self) -> bool:
        """Whether there is TensorBoard."""
        return importlib.util.find_spec(self.package) is not None

    @property
    def how_to_open(self) -> str:
        """See :class:`CurveBackend`."""
        if not self.installed:
            return 'none in TensorBoard: pip install tensorboard'
        return f'tensorboard --logdir {shlex.quote(str(self.work_dir))}'

    def add_config(self, config: Config, **kwargs) -> None:
        """See :class:`CurveBackend`; the package may be missing."""
        self.config = config
        self.failed = not self.installed

    def _init_env(self) -> None:
        # Imported late: a tenth of a second.
        from torch.utils.tensorboard import SummaryWriter

        folder = Path(self.work_dir, 'tensorboard')
        self.run = SummaryWriter(
            str(folder), purge_step=self.first_step, flush_secs=FLUSH
        )
        # A block of code, in TensorBoard's Markdown.
        lines = self.config.pretty_text.splitlines()
        text = '\n'.join(f'    {line}' for line in lines)
        self.run.add_text('config', text, self.first_step)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See :class:`CurveBackend`."""
        for name, value in values.items():
            self.run.add_scalar(name, value, step)

    def show(self, name: str, image: np.ndarray, step: int) -> None:
        """See :class:`CurveBackend`."""
        self.run.add_image(name, image, step, dataformats='HWC')

    def finish(self) -> None:
        """See :class:`CurveBackend`."""
        self.run.close()
