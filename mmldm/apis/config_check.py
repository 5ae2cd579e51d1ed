"""Misspelt config keys, found before anything is built.

A key that nothing reads is a wrong result in waiting: every dict with a
``type`` is compared with the signature of its class.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from mmengine.config import Config
from mmengine.runner import LogProcessor, Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmldm.utils.checks import suggest

from .custom_imports import import_custom
from .registered import check_type_names, find_class

# Top-level keys that mmengine or our tools read besides Runner's arguments.
EXTRA_KEYS = {
    'runner_type',
    'custom_imports',
    'find_unused_parameters',
    'sync_bn',
    'compile',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'model_wrapper_cfg',
}


def _parameters(cls: type) -> set[str]:
    """Names that the class's own constructor takes."""
    return {*inspect.signature(cls.__init__).parameters} - {'self'}


RUNNER_KEYS = (_parameters(Runner) | EXTRA_KEYS) - {'cfg'}
DATALOADER_KEYS = _parameters(DataLoader) | {
    'num_batch_per_epoch',
    'disable_subprocess_warning',
    'global_batch_size',
}
# One optimizer, or those of a first stage with a discriminator.
WRAPPERS = (
    'optim_wrapper',
    'optim_wrapper.autoencoder',
    'optim_wrapper.adversarial',
)
# Keys of any typed dict, and those that mmengine takes out before it builds.
GIVEN = {'type', '_scope_'}
TAKEN_OUT = {
    '|'.join(WRAPPERS): {'constructor', 'paramwise_cfg'},
    r'param_scheduler(\.\d+)?': {'convert_to_iter_based'},
    r'(default|custom)_hooks\.\w+': {'priority'},
}
# Have a type that is no class: 'norm' or 'value'.
CLIP_GRADS = tuple(f'{wrapper}.clip_grad' for wrapper in WRAPPERS)
# Dicts without a type whose keys are arguments all the same.
UNTYPED = {
    **{
        f'{phase}_dataloader': DATALOADER_KEYS
        for phase in ('train', 'val', 'test')
    },
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'auto_scale_lr': {'enable', 'base_batch_size'},
    'val_cfg': {'fp16'},
    'test_cfg': {'fp16'},
    'model.data_preprocessor': {'non_blocking'},
    'log_processor': _parameters(LogProcessor),
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'env_cfg.dist_cfg': {'backend', 'timeout', 'init_backend', 'port'},
    **dict.fromkeys(
        CLIP_GRADS,
        {
            'type',
            'max_norm',
            'norm_type',
            'error_if_nonfinite',
            'foreach',
            'clip_value',
        },
    ),
}
# Annotations whose values are compared.
SIMPLE_TYPES = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    NoneType: (NoneType,),
    Tensor: (Tensor,),
}


def check_config(cfg: Config, options: Mapping[str, Any]) -> None:
    """Raise where a key of the config is not known.

    Args:
        cfg: With the options merged in.
        options: What came from the command line, by dotted key.

    Raises:
        ValueError: Naming the key, the nearest valid ones, and all of them.
    """
    import_custom(cfg)
    check_type_names(cfg._cfg_dict.to_dict())
    _check_top_level(cfg, options)
    for key, valid in UNTYPED.items():
        node = _at(cfg, key)
        if isinstance(node, Mapping) and (
            'type' not in node or key in CLIP_GRADS
        ):
            _check_keys(key, node, valid)
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if hook is not None and 'type' not in hook:
            raise ValueError(
                f'default_hooks.{name} has no type'
                f'{suggest(name, set(cfg.default_hooks) - {name})}'
            )
    check_arguments(cfg._cfg_dict.to_dict(), '')


def check_arguments(config: Mapping[str, Any], path: str) -> None:
    """Raise where a dict with a type has a key that its class lacks.

    Args:
        config: Plain dicts and lists.
        path: What leads to it, for messages.

    Raises:
        ValueError: As of :func:`check_config`.
    """
    check_type_names(config, path)
    for below, node in _typed_dicts(config, path):
        _check_arguments(below, node)


def _at(cfg: Config, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    node = cfg
    for key in path.split('.'):
        node = (node or {}).get(key)
    return node


def _check_top_level(cfg: Config, options: Mapping[str, Any]) -> None:
    """A config may define variables, but none so near to a known key."""
    given = {key.split('.')[0] for key in options}
    for key in cfg:
        near = get_close_matches(key, RUNNER_KEYS, n=1, cutoff=0.79)
        if key not in RUNNER_KEYS and near:
            raise ValueError(
                f'config key {key!r} is not known{suggest(key, RUNNER_KEYS)}'
            )
    unread = given - RUNNER_KEYS
    for key in unread:
        raise ValueError(
            f'--cfg-options {key}: nothing reads such a key'
            f'{suggest(key, RUNNER_KEYS)}'
        )


def _typed_dicts(node: Any, path: str) -> Iterator[tuple[str, dict]]:
    """Every dict with a ``type``, and its dotted path."""
    if isinstance(node, Mapping):
        if 'type' in node and path not in CLIP_GRADS:
            yield path, dict(node)
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    else:
        return
    for key, value in items:
        yield from _typed_dicts(value, f'{path}.{key}' if path else str(key))


def _check_arguments(path: str, node: dict) -> None:
    """Compare the keys of a typed dict with the signature of its class."""
    kind = node['type']
    cls = kind if callable(kind) else find_class(kind)
    if not inspect.isclass(cls):
        return  # a function
    arguments, takes_any = _arguments(cls)
    if not takes_any:
        taken_out = [
            keys
            for place, keys in TAKEN_OUT.items()
            if re.fullmatch(place, path)
        ]
        _check_keys(
            f'{path} ({cls.__name__})',
            node,
            GIVEN.union(arguments, *taken_out),
        )
    for key, value in node.items():
        wanted = _wanted(arguments.get(key))
        if wanted and not isinstance(value, wanted):
            names = ' or '.join(cls.__name__ for cls in wanted)
            raise ValueError(f'{path}.{key}={value!r} must be {names}')


def _wanted(annotation: Any) -> tuple[type, ...] | None:
    """Types that an annotation admits; None where that is not so simple."""
    if get_origin(annotation) is Sequence:
        return list, tuple
    if get_origin(annotation) in (Union, UnionType):
        members = [SIMPLE_TYPES.get(arg) for arg in get_args(annotation)]
        return None if None in members else sum(members, ())
    return SIMPLE_TYPES.get(annotation)


def _check_keys(owner: str, node: Mapping, valid: set[str]) -> None:
    for key in node:
        if key not in valid:
            raise ValueError(
                f'{owner} has no argument {key!r}{suggest(key, valid - GIVEN)}'
            )


def _arguments(cls: type) -> tuple[dict[str, Any], bool]:
    """Names and annotations that a constructor takes; whether it takes any.

    ``**kwargs`` is followed to the base class, as our classes use it.
    """
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        for p in parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                found.setdefault(p.name, p.annotation)
        if all(p.kind != p.VAR_KEYWORD for p in parameters):
            break
    else:
        return found, any('__init__' in vars(b) for b in cls.__mro__[:-1])
    return {k: v for k, v in found.items() if k != 'self'}, False
