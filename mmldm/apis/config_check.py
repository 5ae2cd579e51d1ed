"""Misspelt config keys, found before anything is built.

A key that nothing reads is a wrong result in waiting: every dict with a
``type`` is compared with the signature of its class.
"""

import inspect
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmldm import registry as registries
from mmldm.utils.checks import suggest

# Top-level keys that mmengine or our tools read besides Runner's arguments.
EXTRA_KEYS = {
    'runner_type', 'custom_imports', 'find_unused_parameters', 'sync_bn',
    'compile', 'activation_checkpointing', 'model_wrapper_cfg'
}
RUNNER_KEYS = {
    *inspect.signature(Runner.__init__).parameters, *EXTRA_KEYS
} - {'self', 'cfg'}
DATALOADER_KEYS = {
    *inspect.signature(DataLoader.__init__).parameters, 'num_batch_per_epoch',
    'disable_subprocess_warning', 'global_batch_size'
} - {'self'}
# Handed over to the class by whoever builds it.
GIVEN = {'type', '_scope_'}
# Dicts without a type whose keys are arguments all the same.
UNTYPED = {
    **{f'{phase}_dataloader': DATALOADER_KEYS for phase in
       ('train', 'val', 'test')},
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'auto_scale_lr': {'enable', 'base_batch_size'},
}
# Annotations whose values are compared.
SIMPLE_TYPES = {int: int, float: (int, float), str: str, bool: bool}


def check_config(cfg: Config, options: Mapping[str, Any]) -> None:
    """Raise where a key of the config is not known.

    Args:
        cfg: With the options merged in.
        options: What came from the command line, by dotted key.

    Raises:
        ValueError: Naming the key, the nearest valid ones, and all of them.
    """
    _import_custom(cfg)
    _check_top_level(cfg, options)
    for key, valid in UNTYPED.items():
        if isinstance(cfg.get(key), Mapping):
            _check_keys(key, cfg[key], valid)
    for path, node in _typed_dicts(cfg._cfg_dict.to_dict(), ''):
        _check_arguments(path, node)


def _import_custom(cfg: Config) -> None:
    """Import what the user registers; Config does so for files only."""
    from mmengine.utils import import_modules_from_strings
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg['custom_imports'])


def _check_top_level(cfg: Config, options: Mapping[str, Any]) -> None:
    """A config may define variables, but none so near to a known key."""
    given = {key.split('.')[0] for key in options}
    for key in cfg:
        near = get_close_matches(key, RUNNER_KEYS, n=1, cutoff=0.85)
        if key not in RUNNER_KEYS and near:
            raise ValueError(f'config key {key!r} is not known'
                             f'{suggest(key, RUNNER_KEYS)}')
    unread = given - RUNNER_KEYS
    for key in unread:
        raise ValueError(f'--cfg-options {key}: the config has no such key'
                         f'{suggest(key, RUNNER_KEYS)}')


def _typed_dicts(node: Any, path: str) -> Iterator[tuple[str, dict]]:
    """Every dict with a ``type``, and its dotted path."""
    if isinstance(node, Mapping):
        if 'type' in node:
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
    cls = node['type'] if callable(node['type']) else _find(node['type'])
    if cls is None or not inspect.isclass(cls):
        return  # its builder will say so, and knows the registry
    arguments, takes_any = _arguments(cls)
    if not takes_any:
        _check_keys(f'{path} ({cls.__name__})', node, {*arguments, *GIVEN})
    for key, value in node.items():
        wanted = SIMPLE_TYPES.get(arguments.get(key))
        if wanted and not isinstance(value, wanted):
            raise ValueError(f'{path}.{key}={value!r} must be '
                             f'{arguments[key].__name__}')


def _check_keys(owner: str, node: Mapping, valid: set[str]) -> None:
    for key in node:
        if key not in valid:
            raise ValueError(f'{owner} has no argument {key!r}'
                             f'{suggest(key, valid - GIVEN)}')


def _find(name: str) -> type | None:
    """A class by its name in any of our registries or their ancestors."""
    for registry in vars(registries).values():
        if isinstance(registry, Registry):
            registry.import_from_location()
            bare, node = name.split('.')[-1], registry
            while node is not None:
                if bare in node.module_dict:
                    return node.module_dict[bare]
                node = node.parent
    return None


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
            found.pop('self')
            return found, False
    return found, True
