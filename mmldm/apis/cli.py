"""What the command-line tools share."""

import argparse
import ast
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.runner import Runner
from yaml import YAMLError

from mmldm.compat import read_yaml_safely
from mmldm.engine import LDMRunner
from mmldm.registry import RUNNERS

from .config_check import check_config
from .custom_imports import describe
from .other_files import anchor_files
from .tokenizer_folders import locate_tokenizers

DEBUG = 'MMLDM_DEBUG'
# Mistakes of the user, as opposed to ours, which keep their traceback.
USER_ERRORS = (ValueError, OSError, KeyError, FloatingPointError)


class ConfigAction(DictAction):
    """As mmengine's ``DictAction``, which takes dicts for text."""

    @staticmethod
    def _parse_iterable(value: str) -> Any:
        if '{' not in value:
            return DictAction._parse_iterable(value)
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise ValueError(
                f'--cfg-options {value}: write dicts, and lists of them, as '
                "in Python, within quotes of the shell: key=\"[{'type': "
                "'FolderClasses'}]\""
            ) from error


def config_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with what everything that reads a config takes."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigAction,
        default={},
        metavar='KEY=VALUE',
        help='change the config: model.denoiser.channels=64; lists as '
        'key="[a,b]" or key=a,b; list items as key.0.x=1; dicts as in '
        "Python, key=\"[{'type': 'FolderClasses'}]\"",
    )
    parser.add_argument(
        '--seed', type=int, help='of all that is random (default: 0)'
    )
    parser.set_defaults(
        work_dir=None, deterministic=False, launcher='none', local_rank=0
    )
    return parser


def tool_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with what every tool that runs a config takes."""
    parser = config_parser(description)
    parser.add_argument(
        '--work-dir',
        help='where logs, checkpoints and pictures go (default: '
        'work_dirs/NAME_OF_THE_CONFIG)',
    )
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='only deterministic algorithms on a GPU, at some speed',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started (default: none, one process); '
        'see tools/dist_train.sh',
    )
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS,
    )
    return parser


def load_config(args: argparse.Namespace) -> Config:
    """The checked config of a tool, with the flags merged in.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a key is not known; the nearest are named.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config)
    try:
        cfg.merge_from_dict(args.cfg_options)
    except (TypeError, KeyError) as error:
        raise ValueError(
            f'--cfg-options {" ".join(args.cfg_options)}: a key leads into '
            f'what is no dict ({error})'
        ) from error
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', f'work_dirs/{Path(args.config).stem}')
    if args.seed is not None:
        cfg.merge_from_dict({'randomness.seed': args.seed})
    if args.deterministic:
        cfg.merge_from_dict({'randomness.deterministic': True})
    _share_with_training(cfg)
    anchor_files(cfg.get('model') or {}, cfg.work_dir)
    check_config(cfg, args.cfg_options)
    return cfg


def read_config(path: str | Path) -> Config:
    """The content of a config file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no config.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'config {path} does not exist')
    read_yaml_safely()
    try:
        cfg = Config.fromfile(path)
    except ImportError as error:
        raise ValueError(f'config {path}: {describe(error)}') from error
    except (SyntaxError, NameError, YAMLError) as error:
        raise ValueError(f'config {path}: {error}') from error
    locate_tokenizers(cfg, Path(path))
    return cfg


def build_runner(cfg: Config) -> Runner:
    """The runner that a config asks for.

    Raises:
        ValueError: If it is none of ours, which our parts need.
    """
    kind = cfg.get('runner_type', 'Runner')
    cls = RUNNERS.get(kind)
    if cls is None or not issubclass(cls, LDMRunner):
        where = f'{kind!r}' if 'runner_type' in cfg else 'missing'
        raise ValueError(
            f"runner_type is {where}: set runner_type='mmldm.LDMRunner', or "
            'a class that derives from it, as configs/_base_/default_runtime'
            '.py does'
        )
    return RUNNERS.build(cfg)


def _share_with_training(cfg: Config) -> None:
    """Folder and size that validation or test leave open: the training's."""
    training = (cfg.get('train_dataloader') or {}).get('dataset', {})
    for name in ('val_dataloader', 'test_dataloader'):
        dataset = (cfg.get(name) or {}).get('dataset', {})
        for key in ('data_root', 'size'):
            if key in dataset and dataset[key] is None:
                dataset[key] = training.get(key)


def run_tool(main: Callable[[], None]) -> None:
    """Run a tool: a mistake of the user ends in one line and status 1.

    MMLDM_DEBUG=1 shows the traceback as well.
    """
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('interrupted; --resume goes on from the newest checkpoint')
    except USER_ERRORS as error:
        if os.environ.get(DEBUG):
            raise
        sys.exit(
            f'error: {_one_line(error)}\n({DEBUG}=1 shows where it was raised)'
        )


def _one_line(error: Exception) -> str:
    """The message without line breaks."""
    # str() of a KeyError is the repr of its message.
    text = str(error.args[0] if isinstance(error, KeyError) else error)
    if text.startswith('Caught '):  # a loader worker's, after its traceback
        text = text.rpartition(f'{type(error).__name__}: ')[-1]
    return ' '.join(text.split())
