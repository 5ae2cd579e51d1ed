from .cli import build_runner, load_config, run_tool, tool_parser

__all__ = ['build_runner', 'load_config', 'run_tool', 'tool_parser']
