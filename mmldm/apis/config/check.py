"""Mistakes in a config, found before anything is built.

A key that nothing reads is a wrong result in waiting: every dict with a
``type`` is compared with the signature of its class, and every other one
with what mmengine reads of it.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from mmldm.utils.checks import suggest

from .arguments import (
    arguments_of,
    check_keys,
    check_numbers,
    check_required,
    check_typed,
)
from .custom_imports import import_custom
from .keys import CLIP_GRAD, RUNNER_KEYS, check_known_keys
from .scopes import OWN, Scope

# Arguments that classes of other packages build by a registry; all their
# other dicts are their own affair.
BUILT = {
    'dataset',
    'datasets',
    'metrics',
    'optimizer',
    'pipeline',
    'transforms',
    'vis_backends',
}
# What a training builds; a test's data may stay incomplete for it.
TRAINED = re.compile(
    r'model|(train|val)_(dataloader|evaluator)|(default|custom)_hooks'
)
# Keys whose numbers are no arguments of a class.
NUMBERS = ('randomness', 'env_cfg', 'auto_scale_lr', 'log_processor')


def check_config(cfg: Config, options: Mapping[str, Any]) -> None:
    """Raise where a key of the config is not known, or its value no such.

    Args:
        cfg: With the options merged in.
        options: What came from the command line, by dotted key.

    Raises:
        ValueError: Naming the key, the nearest valid ones, and all of them.
    """
    content = cfg._cfg_dict.to_dict()
    _check_top_level(content, options)
    check_known_keys(content)
    import_custom(cfg)
    scope = Scope(content.get('default_scope') or OWN)
    known = {k: v for k, v in content.items() if k in RUNNER_KEYS}
    for key, node in known.items():
        if not key.endswith('_imports'):
            for below, typed, built in _typed_dicts(node, key, scope, True):
                _check(below, typed, built, scope)
            _check_numbers(key, node)
    _check_custom_keys(content.get('optim_wrapper'), scope)


def check_complete(cfg: Config) -> None:
    """Raise where a part of a training lacks an argument without a default.

    Args:
        cfg: A checked one.

    Raises:
        ValueError: Naming the part and the argument.
    """
    scope = Scope(cfg.get('default_scope') or OWN)
    for key, node in cfg._cfg_dict.to_dict().items():
        if TRAINED.fullmatch(key):
            for path, typed, _ in _typed_dicts(node, key, scope, True):
                cls = _class(typed, scope)
                if inspect.isclass(cls):
                    check_required(path, typed, cls)


def check_arguments(config: Mapping[str, Any], path: str) -> None:
    """Raise where a dict with a type has a key that its class lacks.

    Args:
        config: Of a model; plain dicts and lists.
        path: What leads to it, for messages.

    Raises:
        ValueError: As of :func:`check_config`.
    """
    scope = Scope()
    for below, node, built in _typed_dicts(config, path, scope, True):
        _check(below, node, built, scope)


def _check_top_level(
    content: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """A config may define variables, but none so near to a known key."""
    for key in content:
        near = get_close_matches(key, RUNNER_KEYS, n=1, cutoff=0.79)
        if key not in RUNNER_KEYS and near:
            raise ValueError(
                f'config key {key!r} is not known{suggest(key, RUNNER_KEYS)}'
            )
    for key in sorted({key.split('.')[0] for key in options} - RUNNER_KEYS):
        raise ValueError(
            f'--cfg-options {key}: nothing reads such a key'
            f'{suggest(key, RUNNER_KEYS)}'
        )


def _typed_dicts(
    node: Any, path: str, scope: Scope, built: bool
) -> Iterator[tuple[str, dict, bool]]:
    """Every dict with a ``type`` that is built by a registry.

    Args:
        node: Where to look.
        path: What leads to it.
        scope: Of names without a scope.
        built: Whether what stands here is surely built.

    Yields:
        Dotted path, the dict, and whether it is surely built.
    """
    if isinstance(node, list | tuple):
        for i, item in enumerate(node):
            yield from _typed_dicts(item, f'{path}.{i}', scope, built)
    if not isinstance(node, Mapping) or re.fullmatch(CLIP_GRAD, path):
        return
    foreign = False
    if 'type' in node:
        yield path, dict(node), built
        foreign = not _is_ours(_class(node, scope))
    for key, value in node.items():
        # The parts of somebody else's model are mostly of a registry.
        if not foreign or key in BUILT or path.startswith('model'):
            surely = built and (not foreign or key in BUILT)
            yield from _typed_dicts(value, f'{path}.{key}', scope, surely)


def _is_ours(cls: Any) -> bool:
    return getattr(cls, '__module__', '').startswith('mmldm.')


def _class(node: Mapping[str, Any], scope: Scope) -> Any:
    """What the type of a dict is; None where nothing is known of it."""
    kind = node['type']
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    return scope.find(kind)


def _check(path: str, node: dict, built: bool, scope: Scope) -> None:
    """Compare a typed dict with the signature of its class."""
    kind = node['type']
    if not isinstance(kind, str) and not callable(kind):
        if built:
            raise ValueError(
                f'{path}.type={kind!r:.80} must be the name of a class'
            )
        return
    if isinstance(node.get('_scope_'), str):
        scope = Scope(node['_scope_'])
    cls = _class(node, scope)
    if cls is None and built and '.' not in kind:
        raise scope.unknown(path, kind)
    # Not a function, or of a scope whose builder knows more.
    if inspect.isclass(cls):
        check_typed(path, node, cls)


def _check_numbers(path: str, node: Any) -> None:
    """Raise where a number that no class takes is none."""
    if path.split('.')[0] in NUMBERS and isinstance(node, Mapping):
        for key, value in node.items():
            check_numbers(f'{path}.{key}', value)


def _check_custom_keys(wrapper: Any, scope: Scope) -> None:
    """Raise where a rule for some parameters has a key that nothing reads."""
    rules = wrapper if isinstance(wrapper, Mapping) else {}
    optimizer = rules.get('optimizer')
    if not isinstance(optimizer, Mapping):
        for part in rules.values():
            if isinstance(part, Mapping) and 'optimizer' in part:
                _check_custom_keys(part, scope)
        return
    cls = _class(optimizer, scope)
    if not inspect.isclass(cls):
        return
    valid = {'lr_mult', 'decay_mult', *arguments_of(cls)[0]} - {'params'}
    rules = (rules.get('paramwise_cfg') or {}).get('custom_keys') or {}
    for name, rule in rules.items():
        path = f'optim_wrapper.paramwise_cfg.custom_keys.{name}'
        if not isinstance(rule, Mapping):
            raise ValueError(f'{path}={rule!r:.80} must be a dict')
        check_keys(path, rule, valid)
