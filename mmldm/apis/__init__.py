from .cli import add_common_arguments, build_runner, load_config, run_tool

__all__ = ['add_common_arguments', 'build_runner', 'load_config', 'run_tool']
