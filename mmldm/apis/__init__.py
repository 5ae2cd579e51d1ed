from .cli import (
    build_model,
    build_runner,
    config_parser,
    load_config,
    run_tool,
    tool_parser,
)
from .converted import write_converted

__all__ = [
    'build_model',
    'build_runner',
    'config_parser',
    'load_config',
    'run_tool',
    'tool_parser',
    'write_converted',
]
