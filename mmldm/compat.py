"""Repairs of what upstream breaks, each with its reason and its end.

Every repair has a test in ``tests/test_compat.py`` that fails without it.
"""

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from packaging.version import Version

from .utils.shipped import PREFIX, config_path

# Who started this process, as far as it can be known this early.
PARENT = os.getppid()
# package -> (first supported version, first unsupported one)
SUPPORTED = {
    'torch': ('2.10', '3'),
    'mmengine': ('0.10.4', '0.12'),
    'mmcv': ('2.0.0', '2.2.0'),
    'mmagic': ('1.2.0', '1.3'),
    'numpy': ('1.26', '3'),
}
# Distributions that provide a package under its import name; the first is
# what requirements/mminstall.txt names.
PROVIDERS = {
    'mmcv': ('mmcv-lite', 'mmcv', 'onedl-mmcv'),
    'mmengine': ('mmengine', 'onedl-mmengine'),
}


def prepare_numpy() -> None:
    """Give NumPy 2 the ``bool8`` that mmagic.utils reads.

    Until mmagic > 1.2.0.
    """
    # NumPy 1.26 has it, and warns where it is only asked for.
    if Version(np.__version__) >= Version('2') and not hasattr(np, 'bool8'):
        np.bool8 = np.bool_


def installed_version(package: str) -> str | None:
    """The version of a package under any of its providers' names."""
    for name in PROVIDERS.get(package, (package,)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def warn_about_versions() -> None:
    """Warn, never fail, where a version is outside what was tested."""
    for package, (first, end) in SUPPORTED.items():
        found = installed_version(package)
        if found is None:
            raise ImportError(
                f'mmldm needs {package}, which is not installed: '
                f'pip install "{PROVIDERS.get(package, (package,))[0]}'
                f'>={first},<{end}"'
            )
        if not Version(first) <= Version(found) < Version(end):
            warnings.warn(
                f'{package}=={found} is not tested with mmldm, which '
                f'supports >={first},<{end}: '
                f'pip install "{package}>={first},<{end}"',
                stacklevel=2,
            )


def register_package() -> None:
    """Let ``mmengine.hub`` find the package that is running.

    mmengine has a list of package names. If an entry is an installed
    distribution, mmengine guesses its folder, and finds a wrong one for an
    editable installation. It imports any other entry as a module. The entry
    here names a module of mmldm, which leads to the right folder.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE['mmldm'] = 'mmldm.version'


def find_own_configs() -> None:
    """Have a config inherit from ``mmldm::NAME`` without pkg_resources.

    mmengine loads that module anew for each such name, which takes 0.25 s,
    warns, and is impossible with setuptools 82. Until mmengine > 0.10.7.
    """
    from mmengine.config import Config

    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if cfg_path.startswith(PREFIX):
            return str(config_path(cfg_path)), PREFIX.removesuffix('::')
        return theirs(cfg_path, filename)

    theirs = Config._get_cfg_path
    Config._get_cfg_path = staticmethod(get_cfg_path)


def init_cpu_process_group(timeout: float | None = None) -> None:
    """Start gloo where ``torchrun`` started us on a machine without GPU.

    mmengine's ``init_dist`` calls ``torch.cuda.set_device`` in any case; it
    leaves a process group alone that exists. Until mmengine > 0.10.7.

    Args:
        timeout: Seconds that a process waits for the others, > 0; None is
            torch's 30 minutes.
    """
    import torch

    if (
        torch.cuda.is_available()
        or torch.distributed.is_initialized()
        or 'WORLD_SIZE' not in os.environ
    ):
        return
    torch.distributed.init_process_group(
        'gloo', timeout=timeout and timedelta(seconds=timeout)
    )


def check_gpu_count() -> None:
    """Raise where there are GPUs, but fewer than processes.

    mmengine's ``init_dist`` ends in a CUDA error there.
    """
    import torch

    gpus = torch.cuda.device_count()
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if 0 < gpus < processes:
        raise ValueError(
            f'{processes} processes for {gpus} GPUs: start at most {gpus}, or '
            'CUDA_VISIBLE_DEVICES= for processes on the CPU'
        )


def die_with_launcher() -> None:
    """End this process when torchrun ends, even by SIGKILL.

    Its workers would outlive it: go on writing checkpoints beside those of
    the run that resumes, or meet that run at its port in place of its own
    workers, and both hang. Linux only. tools/launch.py does the same, and
    earlier, for what it starts.

    Raises:
        SystemExit: If torchrun has ended since this module was imported.
    """
    if 'TORCHELASTIC_RUN_ID' not in os.environ or sys.platform != 'linux':
        return
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    # The kernel does not signal an end before that call.
    if os.getppid() != PARENT:
        sys.exit(f'error: the launcher, process {PARENT}, has ended')


def register_checkpoint_reader() -> None:
    """Have all of mmengine read files by our safe reader.

    Its own reader fails on its own checkpoints since torch 2.6. Until
    mmengine > 0.10.7.
    """
    from mmengine.runner import CheckpointLoader

    from .utils.checkpoint import read_checkpoint

    CheckpointLoader.register_scheme(
        prefixes='', loader=read_checkpoint, force=True
    )


def read_yaml_safely() -> None:
    """Have mmengine read yaml files as data.

    Its loader calls whatever a tag such as ``!!python/object/apply`` names.
    Until mmengine > 0.10.7.
    """
    import yaml
    from mmengine.fileio.handlers import yaml_handler

    yaml_handler.Loader = yaml.SafeLoader


def write_configs_as_data() -> None:
    """Have mmengine write configs as literals only.

    Its writer puts keys between quotes as they are, so that a key with a
    quote in it becomes code in the config that a training leaves behind.
    Until mmengine > 0.10.7.
    """
    from mmengine.config import Config

    from .utils.config_text import config_text, recordable

    def pretty_text(cfg: Config) -> str:
        return config_text(recordable(cfg.to_dict()), 'All keys of a config.')

    Config.pretty_text = property(pretty_text)


def share_scopes_between_threads() -> None:
    """Let several threads build parts at the same time.

    mmengine keeps scopes and loggers under a lock that an error never
    releases: after a logger that cannot open its file, or a scope that
    another thread takes away, all other threads wait for ever. Until
    mmengine > 0.10.7.
    """
    from mmengine.registry import DefaultScope
    from mmengine.utils import manager

    overwrite = DefaultScope.overwrite_default_scope.__func__

    def get_instance(cls: type, name: str, **kwargs: object) -> object:
        with manager._lock:
            instances = cls._instance_dict
            if name not in instances:
                instances[name] = cls(name=name, **kwargs)
            return instances[name]

    def get_current_instance(cls: type) -> object:
        instances = [*cls._instance_dict.values()]  # one look
        if not instances:
            raise RuntimeError(f'there is no {cls.__name__} yet')
        return instances[-1]

    def current_scope(cls: type) -> DefaultScope | None:
        scopes = [*cls._instance_dict.values()]
        return scopes[-1] if scopes else None

    @contextmanager
    def overwrite_default_scope(cls: type, name: str | None) -> Iterator:
        lock = nullcontext() if name is None else manager._lock
        with lock, overwrite(cls, name):
            yield

    manager.ManagerMixin.get_instance = classmethod(get_instance)
    manager.ManagerMixin.get_current_instance = classmethod(
        get_current_instance
    )
    DefaultScope.get_current_instance = classmethod(current_scope)
    DefaultScope.overwrite_default_scope = classmethod(overwrite_default_scope)
