"""Arguments that the command-line tools share."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmldm.utils import check_range

Flags = Mapping[str, Mapping[str, Any]]
MODEL_FLAGS = {
    '--device': dict(help='such as cpu or cuda:1'),
    '--adapter': dict(
        nargs='+',
        default=[],
        metavar='FILE[:SCALE]',
        help='adapters (LoRA) of the model: files, or work directories of '
        'their training; FILE:0.5 takes half of one, and several add up',
    ),
}


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
        from ..config import parse_option

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


def add_model(
    parser: argparse.ArgumentParser, checkpoint: str = 'checkpoint'
) -> None:
    """Add the arguments of ``LatentDiffusionInferencer``.

    Args:
        parser: What reads the command line.
        checkpoint: Name of the second one; ``--checkpoint`` where a tool has
            another argument in this place.
    """
    parser.add_argument('model', help='file or folder of a model')
    parser.add_argument(
        checkpoint,
        **({} if checkpoint.startswith('-') else dict(nargs='?')),
        help='the weights, if MODEL is a config file: a file, or a work '
        'directory',
    )
    add_flags(parser, {'': MODEL_FLAGS})


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
    from ..run_config import read_run_config

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return read_run_config(
        args.config,
        args.cfg_options,
        args.work_dir,
        args.seed,
        args.deterministic,
        args.launcher,
    )
