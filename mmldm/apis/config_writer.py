"""Configs as a person would write them: differences, types first."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS

WIDTH, INDENT = 79, 4


def differences(
    config: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    """What a child config states so that ``base`` becomes ``config``.

    A dict that lacks a key of the base's, or has another ``type``, is stated
    whole, with ``_delete_``; what a class takes anyway is not stated.
    """
    if base.keys() - config.keys() or base.get('type') != config.get('type'):
        return {'_delete_': True, **_changes(config, {})}
    return _changes(config, base)


def _changes(
    config: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    changes = {}
    known = {**_defaults(config.get('type')), **base}
    for key, value in config.items():
        if key in known and value == known[key]:
            continue
        if not isinstance(value, Mapping):
            changes[key] = value
        elif not isinstance(base.get(key), Mapping):
            changes[key] = _changes(value, {})
        elif nested := differences(value, base[key]):
            changes[key] = nested
    return changes


def _defaults(name: str | None) -> dict[str, Any]:
    """What the class of this name takes where nothing is said."""
    cls = MODELS.get(name) or DIFFUSION_SCHEDULERS.get(name) if name else None
    if cls is None:
        return {}
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters}


def config_text(content: Mapping[str, Any]) -> str:
    """Top-level assignments, black's way of breaking lines."""
    return ''.join(
        f'{key} = {_text(value, f"{key} = ", 0)}\n'
        for key, value in content.items()
    )


def _text(value: Any, before: str, depth: int) -> str:
    """A value in Python, on one line where it fits behind ``before``."""
    line = _inline(value)
    if len(before) + depth + len(line) + 1 <= WIDTH:
        return line
    inner = depth + INDENT
    if isinstance(value, Mapping):
        items = [(f'{key}=', item) for key, item in value.items()]
        start, end = 'dict(', ')'
    elif isinstance(value, list | tuple):
        items = [('', item) for item in value]
        start, end = '[]' if isinstance(value, list) else '()'
    else:
        return line
    lines = [
        f'{" " * inner}{key}{_text(item, key, inner)},' for key, item in items
    ]
    return '\n'.join([start, *lines, ' ' * depth + end])


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        items = [f'{key}={_inline(item)}' for key, item in value.items()]
        return f'dict({", ".join(items)})'
    if isinstance(value, list):
        return f'[{", ".join(map(_inline, value))}]'
    if isinstance(value, tuple):
        items = ', '.join(map(_inline, value))
        return f'({items},)' if len(value) == 1 else f'({items})'
    return repr(value)
