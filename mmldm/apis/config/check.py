"""Checks of a config before anything is built.

An unread key leads to a wrong result: every dict with a ``type`` is compared
with the signature of its class, and every other dict with the keys that
mmengine reads.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from mmldm.utils.checks import suggest
from mmldm.utils.signatures import arguments_of

from ..registered import OWN, check_type_name, find_class, use_scope
from .arguments import (
    check_keys,
    check_numbers,
    check_required,
    check_typed,
)
from .custom_imports import import_custom
from .keys import CLIP_GRAD, RUNNER_KEYS, check_known_keys, check_together

# Arguments that classes of other packages build by a registry. The types in
# their other dicts are not checked.
BUILT = {
    'dataset',
    'datasets',
    'metrics',
    'optimizer',
    'pipeline',
    'transforms',
    'vis_backends',
}
# Arguments of our classes that other packages get: a registry builds nothing
# in them.
PASSED_ON = {'init_kwargs'}
# The parts that a training builds; the parts of a test may be incomplete.
TRAINED = re.compile(
    r'model|(train|val)_(dataloader|evaluator)|(default|custom)_hooks'
)
# Keys with numbers that are not arguments of a class.
NUMBERS = ('randomness', 'env_cfg', 'auto_scale_lr', 'log_processor')


def check_config(cfg: Config, options: Mapping[str, Any]) -> None:
    """Raise if a key of the config is unknown, or its value invalid.

    Args:
        cfg: The config, with the options merged in.
        options: Options of the command line, by dotted key.

    Raises:
        ValueError: Names the key, similar valid keys, and all valid keys.
    """
    content = cfg._cfg_dict.to_dict()
    _check_top_level(content, options)
    check_known_keys(content)
    import_custom(cfg)
    scope = content.get('default_scope') or OWN
    use_scope(scope)
    known = {k: v for k, v in content.items() if k in RUNNER_KEYS}
    for key, node in known.items():
        if not key.endswith('_imports'):
            for below, typed, built in _typed_dicts(node, key, scope, True):
                _check(below, typed, built, scope)
            _check_numbers(key, node)
    _check_optimizers('optim_wrapper', content.get('optim_wrapper'), scope)
    if 'runner_type' in content:
        check_type_name('runner_type', content['runner_type'], True, scope)


def check_complete(cfg: Config) -> None:
    """Raise if a part of a run, or an argument of a part, is missing.

    Args:
        cfg: A config that passed :func:`check_config`.

    Raises:
        ValueError: Names the part and the argument.
    """
    if 'type' not in cfg.model:
        raise ValueError(
            "model has no type: set model.type to 'LatentDiffusion' or "
            "'FirstStage'"
        )
    scope = cfg.get('default_scope') or OWN
    content = cfg._cfg_dict.to_dict()
    check_together(content)
    filled_in = getattr(_class(content['model'], scope), 'fills_in', {})
    for key, node in content.items():
        if TRAINED.fullmatch(key):
            for path, typed, _ in _typed_dicts(node, key, scope, True):
                cls = _class(typed, scope)
                if inspect.isclass(cls):
                    part = re.sub(r'^model\.|\.\d+$', '', path)
                    check_required(path, typed, cls, filled_in.get(part, ()))


def check_arguments(config: Mapping[str, Any], path: str) -> None:
    """Raise if a dict with a type has a key that its class lacks.

    Args:
        config: A model's config, as plain dicts and lists.
        path: Dotted path of the config, for messages.

    Raises:
        ValueError: See :func:`check_config`.
    """
    for below, node, built in _typed_dicts(config, path, OWN, True):
        _check(below, node, built, OWN)


def _check_top_level(
    content: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Raise if a top-level key looks like a misspelt known key."""
    for key in content:
        near = get_close_matches(key, RUNNER_KEYS, n=1, cutoff=0.79)
        if key not in RUNNER_KEYS and near:
            raise ValueError(
                f'config key {key!r} is not known{suggest(key, RUNNER_KEYS)}'
            )
    for key in sorted({key.split('.')[0] for key in options} - RUNNER_KEYS):
        raise ValueError(
            f'--cfg-options {key}: the key is unknown'
            f'{suggest(key, RUNNER_KEYS)}'
        )


def _typed_dicts(
    node: Any, path: str, scope: str, built: bool
) -> Iterator[tuple[str, dict, bool]]:
    """All dicts with a ``type`` below a node of the config.

    Args:
        node: The node.
        path: Dotted path of the node.
        scope: Scope of names without one.
        built: Whether a registry certainly builds the node.

    Yields:
        Dotted path, the dict, and whether a registry certainly builds it.
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
        theirs = foreign and key not in BUILT or key in PASSED_ON
        surely = built and not theirs
        yield from _typed_dicts(value, f'{path}.{key}', scope, surely)


def _is_ours(cls: Any) -> bool:
    return getattr(cls, '__module__', '').startswith('mmldm.')


def _class(node: Mapping[str, Any], scope: str) -> Any:
    """The class that a dict's ``type`` names; None if it is unknown."""
    kind = node['type']
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    return find_class(kind, scope)


def _check(path: str, node: dict, built: bool, scope: str) -> None:
    """Compare a typed dict with the signature of its class."""
    scope = node.get('_scope_') or scope
    check_type_name(f'{path}.type', node['type'], built, scope)
    cls = _class(node, scope)
    # A registry mostly builds the parts of foreign models, too.
    if inspect.isclass(cls) and (built or path.startswith('model')):
        check_typed(path, node, cls)


def _check_numbers(path: str, node: Any) -> None:
    """Raise if a number outside a class's arguments is invalid."""
    if path.split('.')[0] in NUMBERS and isinstance(node, Mapping):
        for key, value in node.items():
            check_numbers(f'{path}.{key}', value)


def _check_optimizers(path: str, wrapper: Any, scope: str) -> None:
    """Raise if an optimizer constructor, or a key of its rules, is unknown."""
    if not isinstance(wrapper, Mapping):
        return
    if 'constructor' in wrapper:
        name = wrapper['constructor']
        check_type_name(f'{path}.constructor', name, True, scope)
    optimizer = wrapper.get('optimizer')
    if not isinstance(optimizer, Mapping):
        for key, part in wrapper.items():
            _check_optimizers(f'{path}.{key}', part, scope)
        return
    cls = _class(optimizer, scope)
    rules = (wrapper.get('paramwise_cfg') or {}).get('custom_keys')
    if not inspect.isclass(cls) or not isinstance(rules, Mapping):
        return
    valid = {'lr_mult', 'decay_mult', *arguments_of(cls)[0]} - {'params'}
    for name, rule in rules.items():
        key = f'{path}.paramwise_cfg.custom_keys.{name}'
        if not isinstance(rule, Mapping):
            raise ValueError(f'{key}={rule!r:.80} must be a dict')
        check_keys(key, rule, valid)
