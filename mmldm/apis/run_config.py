"""The config of a run, from a file and values that replace its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmldm.utils import check_range
from mmldm.utils.files import check_folder_to_write

from .adapter_base import take_adapter_base
from .config import check_config, merge_options, read_config
from .config.derived import (
    fill_base_batch_size,
    leave_out_optimizers,
    share_with_training,
)
from .converted import CONFIG_NAME, FIRST_STAGE_NAME, MODEL_NAME
from .first_stages import take_first_stage
from .processes import check_launcher
from .referenced_files import anchor_files


def read_run_config(
    path: str,
    options: Mapping[str, Any] | None = None,
    work_dir: str | None = None,
    seed: int | None = None,
    deterministic: bool = False,
    launcher: str = 'none',
) -> Config:
    """Read and check the config of a training or a test.

    Args:
        path: The config file, or the name of one that comes with mmldm.
        options: Values by key, such as ``model.denoiser.channels``.
        work_dir: Folder of the run; None for that of the config, or one
            named after it.
        seed: Seed of all random numbers; None for that of the config.
        deterministic: Use only deterministic algorithms on a GPU.
        launcher: How the processes were started; 'none' leaves it to the
            config.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a key is unknown (similar ones are named), or if a
            value or the work directory is invalid.
    """
    cfg, options = read_config(path), dict(options or {})
    fill_base_batch_size(cfg)
    merge_options(cfg, options)
    if launcher != 'none':
        cfg.launcher = launcher
    cfg.setdefault('launcher', 'none')
    if work_dir is not None:
        cfg.work_dir = work_dir
    cfg.setdefault('work_dir', f'work_dirs/{_run_name(path)}')
    if seed is not None:
        check_range('seed', seed, 0, 2**32 - 1)
        merge_options(cfg, {'randomness.seed': seed})
    if deterministic:
        merge_options(cfg, {'randomness.deterministic': True})
    leave_out_optimizers(cfg)
    take_first_stage(cfg.get('model'))
    take_adapter_base(cfg)
    check_config(cfg, options)
    check_launcher(cfg.launcher)
    check_folder_to_write('work_dir', cfg.work_dir)
    share_with_training(cfg)
    anchor_files(cfg.get('model') or {}, cfg.work_dir)
    return cfg


def _run_name(config: str) -> str:
    """The name of a config's work directory.

    A converted model is known by its folder, which has its configs.
    """
    path = Path(config)
    suffix = {CONFIG_NAME: '', FIRST_STAGE_NAME: '_first-stage'}.get(path.name)
    if suffix is None or not path.with_name(MODEL_NAME).is_file():
        return path.stem
    return path.absolute().parent.name + suffix
