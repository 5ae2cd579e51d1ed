"""The config in a training checkpoint, stored as JSON text."""

import json
from collections.abc import Mapping
from typing import Any

from .config_text import recordable

# A dict whose keys are not all text is stored under this key, as pairs.
PAIRS = '<pairs>'


def store_config(config: Mapping[str, Any]) -> str:
    """The JSON text of a config, for :func:`read_stored_config`.

    Tuples become lists. A class or function becomes its dotted name, and any
    other object its ``repr``: these texts are only for people to read.
    """
    return json.dumps(_encoded(config))


def _encoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: _encoded(item) for key, item in value.items()}
        pairs = [[_encoded(key), _encoded(v)] for key, v in value.items()]
        return {PAIRS: pairs}
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return recordable(value)


def read_stored_config(text: str) -> dict[str, Any]:
    """Read the config from the text in a checkpoint.

    Raises:
        ValueError: If the text is not what :func:`store_config` gives.
    """
    try:
        config = _decoded(json.loads(text))
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f'the config is not valid JSON ({error})') from error
    if not isinstance(config, dict):
        raise ValueError(f'the config is {config!r:.80}, expected a dict')
    return config


def stored_config(checkpoint: Mapping[str, Any]) -> dict[str, Any] | None:
    """The config in a training checkpoint; None if it cannot be read."""
    meta = checkpoint.get('meta')
    text = meta.get('cfg') if isinstance(meta, Mapping) else None
    if not isinstance(text, str):
        return None
    try:
        return read_stored_config(text)
    except ValueError:
        return None


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {PAIRS}:
        return {key: _decoded(item) for key, item in value[PAIRS]}
    return {key: _decoded(item) for key, item in value.items()}
