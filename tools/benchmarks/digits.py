"""Runs of the digits models that benchmarks time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmldm.utils.shipped import config_path

if TYPE_CHECKING:
    from mmldm.engine import LDMRunner

FIRST = 'mmldm::autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'
SECOND = 'mmldm::ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
# No validation, and no schedule, which may be longer than the run.
TRAINING_ALONE = {
    'val_dataloader': None,
    'val_cfg': None,
    'val_evaluator': None,
    'param_scheduler': None,
    'default_hooks.visualization': None,
}
SHORT = {
    **TRAINING_ALONE,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'log_level': 'ERROR',
}


def flags_of(options: Mapping[str, Any]) -> list[str]:
    """Options of a config as arguments of ``--cfg-options``."""
    return [f'{key}={value}' for key, value in options.items()]


def runner_of(
    config: str, work_dir: str | Path, iterations: int, **options: Any
) -> LDMRunner:
    """The runner of a short training, as ``tools/train.py`` makes it.

    Args:
        config: Name of the config.
        work_dir: Its work directory.
        iterations: Number of iterations.
        options: Changed keys, with ``__`` for dots.
    """
    from mmldm.apis import build_runner
    from mmldm.apis.run_config import read_run_config

    given = {key.replace('__', '.'): v for key, v in options.items()}
    changed = {**SHORT, 'train_cfg.max_iters': iterations, **given}
    return build_runner(
        read_run_config(config_path(config), changed, str(work_dir))
    )


def first_stage(folder: str | Path) -> str:
    """Train the first stage of the digits for one iteration; its folder."""
    path = Path(folder, 'first_stage')
    runner_of(FIRST, path, 1).train()
    return str(path)
