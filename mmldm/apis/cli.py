"""Shared parts of the command-line tools.

A parser must not wait for torch: --help answers at once. Hence modules that
need torch are imported where they are used.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from mmldm.utils import check_range
from mmldm.utils.files import check_checkpoint
from mmldm.utils.remote_files import RemoteError

if TYPE_CHECKING:
    from mmengine.runner import Runner

Flags = Mapping[str, Mapping[str, Any]]
DEBUG = 'MMLDM_DEBUG'
# Errors of the user, which get one line; our own keep their traceback.
USER_ERRORS = (ValueError, OSError, FloatingPointError, RemoteError)
# Characters; a longer message, as from a long value, is cut.
LONGEST_LINE = 2000


class ConfigAction(argparse.Action):
    """Collect ``KEY=VALUE`` options; the flag may be repeated."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        """Add options to the earlier ones.

        Raises:
            ValueError: If an option is not ``KEY=VALUE``, or is given twice.
        """
        from .config import parse_option

        options = dict(getattr(namespace, self.dest) or {})
        for text in values:
            key, value = parse_option(text)
            if key in options:
                raise ValueError(
                    f'--cfg-options {key} is given twice: remove one'
                )
            options[key] = value
        setattr(namespace, self.dest, options)


def add_flags(
    parser: argparse.ArgumentParser, groups: Mapping[str, Flags]
) -> None:
    """Add the flags of tables such as those of ``sample_flags``.

    Args:
        parser: What reads the command line.
        groups: Title of a group, or '', to its flags: name to arguments of
            ``add_argument``.
    """
    for title, flags in groups.items():
        group = parser.add_argument_group(title) if title else parser
        for name, arguments in flags.items():
            group.add_argument(name, **arguments)


def config_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments of every tool that reads a config."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config',
        help='config file, or one that comes with mmldm, as '
        'mmldm::ldm/NAME.py (`mmldm configs` lists them)',
    )
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
        '--seed', type=int, help='seed of all random numbers (default: 0)'
    )
    parser.set_defaults(
        work_dir=None, deterministic=False, launcher='none', local_rank=0
    )
    return parser


def tool_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments of every tool that runs a config."""
    parser = config_parser(description)
    parser.add_argument(
        '--work-dir',
        help='folder for logs, checkpoints and pictures (default: '
        'work_dirs/NAME_OF_THE_CONFIG)',
    )
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='use only deterministic algorithms on a GPU, which is slower',
    )
    add_launcher(parser)
    return parser


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add the flags of tools that several processes may run."""
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


def load_config(args: argparse.Namespace) -> Config:
    """Read and check a tool's config, with the flags merged in.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a key is unknown (similar ones are named), or if a
            value, a flag or the work directory is invalid.
    """
    check_range('--local-rank', args.local_rank, 0, math.inf)
    from .run_config import read_run_config

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return read_run_config(
        args.config,
        args.cfg_options,
        args.work_dir,
        args.seed,
        args.deterministic,
        args.launcher,
    )


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config.

    Raises:
        FileNotFoundError: If the file of ``load_from`` is missing, or
            the first stage is not trained yet.
        ValueError: If ``runner_type`` is not derived from ``LDMRunner``, the
            model or an argument is missing, or the model is larger than the
            machine's memory.
    """
    from mmldm.engine import LDMRunner
    from mmldm.registry import RUNNERS
    from mmldm.utils.model_size import bounded_networks

    from .config import check_complete
    from .first_stages import check_first_stage
    from .registered import find_class

    kind = cfg.get('runner_type', 'Runner')
    cls = RUNNERS.get(kind) if find_class(kind) else None
    if cls is None or not issubclass(cls, LDMRunner):
        where = f'{kind!r}' if 'runner_type' in cfg else 'missing'
        raise ValueError(
            f"runner_type is {where}: set runner_type='mmldm.LDMRunner', or "
            'a class that derives from it, as configs/_base_/default_runtime'
            '.py does'
        )
    if 'model' not in cfg:
        raise ValueError(
            'the config has no model: inherit one of configs/_base_/models/'
        )
    check_complete(cfg)
    check_first_stage(cfg.model)
    if cfg.get('load_from'):
        check_checkpoint('load_from', cfg.load_from)
    with bounded_networks():
        return RUNNERS.build(cfg)


def run_tool(main: Callable[[], None]) -> None:
    """Run a tool; an error of the user ends in one line and status 1.

    An error while something is built from a config counts as the user's, too;
    any other is ours, and keeps its traceback. MMLDM_DEBUG=1 shows every
    traceback.
    """
    try:
        main()
        if 'torch' in sys.modules:
            from mmldm.utils.distributed import leave_process_group

            leave_process_group()
    except BrokenPipeError:
        # The reader, such as head, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit('interrupted; --resume goes on from the newest checkpoint')
    except Exception as error:
        line = _line_about(error)
        if line is None or os.environ.get(DEBUG):
            raise
        sys.exit(f'error: {line}\n({DEBUG}=1 shows where it was raised)')


def _line_about(error: Exception) -> str | None:
    """The message about an error of the user; None for our own errors."""
    built = None
    if 'torch' in sys.modules:  # else nothing can have been built
        from .config.building import describe_building_error

        built = describe_building_error(error)
    if isinstance(error, USER_ERRORS):
        text = str(error) or type(error).__name__
        return _one_line(text if built is None else built, error)
    if built is not None:
        return _one_line(built, error)
    # The last phrase is torch's, about a GPU.
    if isinstance(error, MemoryError) or any(
        words in str(error)
        for words in ('not enough memory', "can't allocate", 'out of memory')
    ):
        text = _one_line(str(error).split('\n')[0], error)
        return (
            f'out of memory ({text}): lower the batch size or the size of '
            'the images, or raise optim_wrapper.accumulative_counts'
        )
    return None


def _one_line(text: str, error: Exception) -> str:
    """A message without line breaks and other control characters."""
    if text.startswith('Caught '):  # a loader worker's, after its traceback
        text = text.rpartition(f'{type(error).__name__}: ')[-1]
    # A file may supply names, and a terminal obeys control characters.
    line = ''.join(
        c if c.isprintable() else ascii(c)[1:-1]
        for c in ' '.join(text.split())
    )
    return f'{line[:LONGEST_LINE]} ...' if len(line) > LONGEST_LINE else line
