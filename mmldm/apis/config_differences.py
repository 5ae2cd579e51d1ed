"""The keys that a child config must state beyond its base."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS


def differences(
    config: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    """The child config that turns ``base`` into ``config``.

    A dict that lacks a key of its base, or has another ``type``, is stated as
    a whole, with ``_delete_``. A class's default values are not stated.
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
    """The default arguments of the class with this name."""
    cls = MODELS.get(name) or DIFFUSION_SCHEDULERS.get(name) if name else None
    if cls is None:
        return {}
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters}
