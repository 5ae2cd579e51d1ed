"""What the command-line tools share; only this package knows argparse.

A parser must not wait for torch: --help answers at once. Hence modules that
need torch are imported where they are used.
"""

from .parsers import (
    ConfigAction,
    add_flags,
    add_launcher,
    add_model,
    config_parser,
    load_config,
    tool_parser,
)
from .running import run_tool

__all__ = [
    'ConfigAction',
    'add_flags',
    'add_launcher',
    'add_model',
    'config_parser',
    'load_config',
    'run_tool',
    'tool_parser',
]
