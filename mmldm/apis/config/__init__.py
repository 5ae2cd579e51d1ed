"""Reading of configs, changes by options, and checks before building."""

from .check import check_arguments, check_complete, check_config
from .options import merge_options, parse_option
from .source import read_config

__all__ = [
    'check_arguments',
    'check_complete',
    'check_config',
    'merge_options',
    'parse_option',
    'read_config',
]
