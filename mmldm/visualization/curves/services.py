"""Curves in W&B, MLflow, ClearML and Aim."""

import os
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmldm.registry import VISBACKENDS

from .base import CurveBackend

PROJECT = 'mmldm'
MLFLOW = 'MLFLOW_TRACKING_URI'


@VISBACKENDS.register_module()
class WandbVisBackend(CurveBackend):
    """Curves in Weights & Biases; ``init_kwargs`` are those of wandb.init.

    With ``WANDB_MODE=offline`` a run is a folder in the work directory, which
    ``wandb sync`` sends later. The starts of a training are a group.
    """

    package = 'wandb'

    @property
    def how_to_open(self) -> str:
        """See :class:`CurveBackend`."""
        if os.environ.get('WANDB_MODE') == 'offline':
            folder = shlex.quote(str(self.work_dir / 'wandb'))
            return f'wandb sync {folder}/offline-run-*'
        project = self.init_kwargs.get('project', PROJECT)
        return f'https://wandb.ai, project {project}'

    def _init_env(self) -> None:
        import wandb

        name = self.work_dir.name
        self.run = wandb.init(
            **dict(
                project=PROJECT,
                name=name,
                group=name,
                dir=str(self.work_dir),
                config=self.config.to_dict(),
            )
            | self.init_kwargs
        )
        self.run.define_metric('iteration', hidden=True)
        self.run.define_metric('*', step_metric='iteration')

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """See :class:`CurveBackend`."""
        # Not by step=: W&B drops what is older than its last step.
        self.run.log({**values, 'iteration': step})

    def show(self, name: str, image: np.ndarray, step: int) -> None:
        """See :class:`CurveBackend`."""
        import wandb

        self.log({name: wandb.Image(image)}, step)

    def finish(self) -> None:
        """See :class:`CurveBackend`."""
        self.run.finish()


@VISBACKENDS.register_module()
class MLflowVisBackend(CurveBackend):
    """Curves in MLflow; ``init_kwargs`` are those of mlflow.start_run.

    Runs are in a data base in the work directory, unless the variable
    ``MLFLOW_TRACKING_URI`` names a server or another data base.
    """

    package = 'mlflow'

    def __init__(
        self, save_dir: str, init_kwargs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir, init_kwargs)
        self.server = os.environ.get(MLFLOW)

    @property
    def uri(self) -> str:
        """The place of the runs."""
        return self.server or f'sqlite:///{self.work_dir / "mlflow.db"}'

    @property
    def how_to_open(self) -> str:
        """See :class:`CurveBackend`."""
        return f'mlflow ui --backend-store-uri {shlex.quote(self.uri)}'

    def _init_env(self) -> None:
        import mlflow

        self.run = mlflow
        mlflow.set_tracking_uri(self.uri)
        # A server knows its own place for files.
        files = None if self.server else (self.work_dir / 'mlflow').as_uri()
        if mlflow.get_experiment_by_name(PROJECT) is None:
            mlflow.create_experiment(PROJECT, artifact_location=files)
        mlflow.set_experiment(PROJECT)
        mlflow.start_run(
            **dict(run_name=self.work_dir.name) | self.init_kwargs
        )
        mlflow.log_text(self.config.pretty_text, 'config.py')

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See :class:`CurveBackend`."""
        self.run.log_metrics(dict(values), step)

    def show(self, name: str, image: np.ndarray, step: int) -> None:
        """See :class:`CurveBackend`."""
        self.run.log_image(image, f'{name}_{step}.png')

    def finish(self) -> None:
        """See :class:`CurveBackend`."""
        self.run.end_run()
        if self.server is None:  # set by mlflow itself
            os.environ.pop(MLFLOW, None)


@VISBACKENDS.register_module()
class ClearMLVisBackend(CurveBackend):
    """Curves in ClearML; ``init_kwargs`` are those of Task.init.

    With ``CLEARML_OFFLINE_MODE=1`` a task is an archive below ~/.clearml,
    which ``Task.import_offline_session`` sends later.
    """

    package = 'clearml'

    @property
    def how_to_open(self) -> str:
        """See :class:`CurveBackend`."""
        project = self.init_kwargs.get('project_name', PROJECT)
        return f'ClearML, project {project}'

    def _init_env(self) -> None:
        from clearml import Task

        self.run = Task.init(
            **dict(
                project_name=PROJECT,
                task_name=self.work_dir.name,
                reuse_last_task_id=False,
                # Else it uploads checkpoints, and TensorBoard's curves again.
                auto_connect_frameworks=False,
                auto_connect_arg_parser=False,
            )
            | self.init_kwargs
        )
        self.run.connect_configuration(self.config.to_dict(), 'config')

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See :class:`CurveBackend`."""
        for name, value in values.items():
            phase, _, key = name.rpartition('/')
            self.run.get_logger().report_scalar(
                title=key, series=phase or key, value=value, iteration=step
            )

    def show(self, name: str, image: np.ndarray, step: int) -> None:
        """See :class:`CurveBackend`."""
        self.run.get_logger().report_image(
            title=name, series=name, iteration=step, image=image
        )

    def finish(self) -> None:
        """See :class:`CurveBackend`."""
        self.run.close()


@VISBACKENDS.register_module()
class AimVisBackend(CurveBackend):
    """Curves in Aim, in the work directory; ``init_kwargs`` are aim.Run's."""

    package = 'aim'

    @property
    def how_to_open(self) -> str:
        """See :class:`CurveBackend`."""
        folder = str(self.init_kwargs.get('repo', self.work_dir))
        return f'aim up --repo {shlex.quote(folder)}'

    def _init_env(self) -> None:
        import aim

        # Its copies of the screen and of system values, every 10 s, are off.
        self.run = aim.Run(
            **dict(
                repo=str(self.work_dir),
                experiment=self.work_dir.name,
                capture_terminal_logs=False,
                system_tracking_interval=None,
            )
            | self.init_kwargs
        )
        self.run['config'] = self.config.pretty_text

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See :class:`CurveBackend`."""
        for name, value in values.items():
            self.run.track(value, name=name, step=step)

    def show(self, name: str, image: np.ndarray, step: int) -> None:
        """See :class:`CurveBackend`."""
        import aim

        self.run.track(aim.Image(image), name=name, step=step)

    def finish(self) -> None:
        """See :class:`CurveBackend`."""
        self.run.close()
