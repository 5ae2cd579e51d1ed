"""The keys in which a checkpoint's config and the present one differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmldm.utils.stored_config import read_stored_config, store_config


class Missing:
    """The value of a key that a config does not have."""

    def __repr__(self) -> str:
        return 'not set'


MISSING = Missing()


class Difference(NamedTuple):
    """A key with different values in the two configs.

    Attributes:
        key: Dotted key. Hooks of both ``default_hooks`` and
            ``custom_hooks`` are under ``hooks.TYPE``.
        stored: The value in the checkpoint's config.
        current: The value in the present config.
    """

    key: str
    stored: Any
    current: Any

    def __str__(self) -> str:
        current, stored = _short(self.current), _short(self.stored)
        return f'{self.key}={current} (checkpoint: {stored})'


def _short(value: Any, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f'{text[:most]}...'


def config_differences(
    stored: Mapping[str, Any], current: Mapping[str, Any]
) -> list[Difference]:
    """All keys with different values, in the order of the present config.

    Both configs are compared in the form that a checkpoint holds. Lists and
    tuples with equal items are equal, and types with and without the scope
    ``mmldm.`` are equal.
    """
    one, other = (
        dict(_leaves(_by_hook(read_stored_config(store_config(config)))))
        for config in (stored, current)
    )
    return [
        Difference(key, one.get(key, MISSING), other.get(key, MISSING))
        for key in {**other, **one}
        if one.get(key, MISSING) != other.get(key, MISSING)
    ]


def _by_hook(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its hooks keyed by type instead of by place."""
    config = dict(config)
    hooks = [
        *(config.pop('default_hooks', None) or {}).values(),
        *(config.pop('custom_hooks', None) or []),
    ]
    by_type: dict[str, list] = {}
    for hook in hooks:
        if isinstance(hook, Mapping):
            kind = _without_scope(str(hook.get('type')))
            by_type.setdefault(kind, []).append(hook)
    for kind, same in by_type.items():
        for i, hook in enumerate(same):
            config[f'hooks.{kind}{f".{i}" if i else ""}'] = hook
    return config


def _leaves(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """(dotted key, value) for all values but dicts and lists of dicts."""
    if isinstance(node, Mapping) and node:
        pairs = [(str(key), value) for key, value in node.items()]
    elif _holds_dicts(node):
        pairs = [(str(i), value) for i, value in enumerate(node)]
    else:
        yield path, _comparable(node, path)
        return
    for key, value in pairs:
        yield from _leaves(value, f'{path}.{key}' if path else key)


def _holds_dicts(node: Any) -> bool:
    return isinstance(node, list | tuple) and any(
        isinstance(item, Mapping) for item in node
    )


def _comparable(value: Any, path: str) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_comparable(item, path) for item in value]
    if isinstance(value, str) and path.rpartition('.')[2] == 'type':
        return _without_scope(value)
    return value


def _without_scope(name: str) -> str:
    return name.removeprefix('mmldm.')
