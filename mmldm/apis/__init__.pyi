from .adapters import load_adapters, save_adapter
from .cli import (
    config_parser,
    load_config,
    run_tool,
    tool_parser,
)
from .converted import write_converted
from .inference import LatentDiffusionInferencer
from .models import build_model, init_model
from .publish import publish_model
from .runners import build_runner

__all__ = [
    'LatentDiffusionInferencer',
    'build_model',
    'build_runner',
    'config_parser',
    'init_model',
    'load_adapters',
    'load_config',
    'publish_model',
    'run_tool',
    'save_adapter',
    'tool_parser',
    'write_converted',
]
