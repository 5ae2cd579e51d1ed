"""Errors of constructors, translated to errors in the config."""

from collections.abc import Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

from mmengine.config import Config
from mmengine.model.efficient_conv_bn_eval import (
    turn_on_efficient_conv_bn_eval,
)
from mmengine.registry.build_functions import (
    build_from_cfg,
    build_runner_from_cfg,
)
from mmengine.runner import Runner, turn_on_activation_checkpointing
from mmengine.visualization import Visualizer

# Methods in which mmengine's Runner uses a config without a registry, and the
# key that they use.
RUNNER_STEPS = {
    '__init__': 'config',
    '_init_model_weights': 'model.init_cfg',
    '_maybe_compile': 'compile',
    'build_dataloader': 'dataloader',
    'build_evaluator': 'evaluator',
    'build_log_processor': 'log_processor',
    'build_logger': 'log_level',
    'build_model': 'model',
    'build_optim_wrapper': 'optim_wrapper',
    'build_param_scheduler': 'param_scheduler',
    'build_test_loop': 'test_cfg',
    'build_train_loop': 'train_cfg',
    'build_val_loop': 'val_cfg',
    'build_visualizer': 'visualizer',
    'from_cfg': 'config',
    'register_custom_hooks': 'custom_hooks',
    'register_default_hooks': 'default_hooks',
    'scale_lr': 'auto_scale_lr',
    'set_randomness': 'randomness',
    'setup_env': 'env_cfg',
    'wrap_model': 'model_wrapper_cfg or sync_bn',
}
STEPS: dict[CodeType, str] = {
    getattr(Runner, name).__code__: key
    for name, key in RUNNER_STEPS.items()
    if name != 'from_cfg'
} | {
    Runner.from_cfg.__func__.__code__: 'config',
    Visualizer.add_config.__code__: 'visualizer.vis_backends',
    build_runner_from_cfg.__code__: 'runner_type',
    turn_on_activation_checkpointing.__code__: 'activation_checkpointing',
    turn_on_efficient_conv_bn_eval.__code__: 'efficient_conv_bn_eval',
}
# Remedies by class, if this machine lacks what the class needs.
REMEDIES = {
    'AmpOptimWrapper': "set type='AutocastOptimWrapper', which works on any "
    'device, or give --amp',
    'ApexOptimWrapper': "set type='AutocastOptimWrapper', which needs no "
    'other package, or give --amp',
}


def describe_building_error(error: BaseException) -> str | None:
    """A message that names the config key at which building failed.

    Args:
        error: The exception, as caught.

    Returns:
        One line with the dotted key; None if nothing was being built, so
        that the config is not the cause.
    """
    frames = list(_frames(error))
    cfg = next(filter(None, map(_config_in, frames)), None)
    for frame in reversed(frames):
        if frame.f_code is build_from_cfg.__code__:
            node = frame.f_locals.get('cfg')
            if not isinstance(node, Mapping):
                return f'{node!r:.80} must be a dict with a type'
            return _message(_path(node, cfg), node, error)
        if frame.f_code in STEPS:
            key = STEPS[frame.f_code]
            if key == 'dataloader':
                key = _loader(frame.f_locals.get('dataloader'), cfg)
            text = _text(error)
            return text if key == 'config' else f'{key}: {text}'
    return None


def _frames(error: BaseException) -> Iterator[FrameType]:
    """The frames of the error's traceback, the outermost first."""
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _config_in(frame: FrameType) -> Config | None:
    """A config among a function's local variables."""
    values = frame.f_locals.values()
    return next((v for v in values if isinstance(v, Config)), None)


def _message(path: str, node: Mapping[str, Any], error: BaseException) -> str:
    """The message about a dict with a type."""
    kind = node.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', kind)
    if kind is None:
        return f'{path or "a dict"} has no type: {dict(node)!r:.80}'
    owner = f'{path} ({name})' if path else f'{name}'
    remedy = REMEDIES.get(str(name).rpartition('.')[2])
    if remedy is None and isinstance(error, ImportError):
        package = getattr(error, 'name', None)
        wanted = f'pip install {package}' if package else 'install the package'
        remedy = f'{wanted}, or choose another type'
    text = _text(error)
    # Our own messages name the argument themselves.
    own = isinstance(error, ValueError) and f'{name}.' in text
    if own or (path and path in text):
        owner = ''
    return ': '.join(filter(None, [owner, text, remedy]))


def _text(error: BaseException) -> str:
    """Class and message of an error, without mmengine's long hints."""
    text = str(error.args[0] if isinstance(error, KeyError) else error)
    text = text.partition('Please check whether the value of')[0].strip()
    name = type(error).__name__
    if (
        isinstance(error, ValueError | ImportError | OSError)
        or ' ' in text[:40]
    ):
        return text.rstrip('.:') or name
    return f'{name}: {text}' if text else name


def _path(node: Mapping[str, Any], cfg: Config | None) -> str:
    """Dotted path of the config's dict that is most similar to ``node``."""
    if cfg is None:
        return ''
    found, most = '', -1
    for path, other in _dicts(cfg._cfg_dict.to_dict(), ''):
        if other.get('type') == node.get('type'):
            alike = sum(other.get(key) == node[key] for key in node)
            if alike > most:
                found, most = path, alike
    return found


def _loader(node: Any, cfg: Config | None) -> str:
    """Key of the config's data loader that has the data set of ``node``."""
    dataset = node.get('dataset') if isinstance(node, Mapping) else None
    for phase in ('train', 'val', 'test'):
        loader = cfg.get(f'{phase}_dataloader') if cfg else None
        if isinstance(loader, Mapping) and loader.get('dataset') == dataset:
            return f'{phase}_dataloader'
    return 'a data loader'


def _dicts(node: Any, path: str) -> Iterator[tuple[str, Mapping]]:
    """(dotted path, dict) for every dict in a config."""
    if isinstance(node, Mapping):
        yield path, node
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    else:
        return
    for key, value in items:
        yield from _dicts(value, f'{path}.{key}' if path else str(key))
