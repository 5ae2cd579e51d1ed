"""The keys in which the config of a checkpoint and the present one differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmldm.utils.stored_config import read_stored_config, store_config


class Missing:
    """The value of a key that a config does not have."""

    def __repr__(self) -> str:
        return 'not set'


MISSING = Missing()


class Difference(NamedTuple):
    """One key with two values.

    Attributes:
        key: Dotted; hooks stand under ``hooks.TYPE``, in whichever of
            ``default_hooks`` and ``custom_hooks`` they are.
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
    """Every key with different values, in the order of the present config.

    Both are compared as a checkpoint holds them. Lists and tuples of equal
    items are equal, and so are types with and without the scope ``mmldm.``.
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
    """The config with its hooks by type, whose place does not matter."""
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
    """Dotted keys and the values that are no dicts, nor lists of dicts."""
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
