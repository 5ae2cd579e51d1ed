"""The config in a training checkpoint, stored as JSON text.

Checkpoints written until November 2026 hold the Python text of mmengine's
``Config.pretty_text``, which is read as data too.
"""

import ast
import json
import math
from collections.abc import Mapping
from typing import Any

from .config_text import recordable

# A dict whose keys are not all text is stored under this key, as pairs.
PAIRS = '<pairs>'
# mmengine's texts for floats that have no Python literal.
FLOATS = {'inf': math.inf, 'nan': math.nan}


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

    Nothing in the text is executed.

    Raises:
        ValueError: If the text has anything but values; names the line.
    """
    try:
        if text.lstrip().startswith('{'):
            return _decoded(json.loads(text))
        return dict(_assigned(statement) for statement in _parse(text))
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f'it cannot be read ({error})') from error


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


def _parse(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except ValueError as error:  # a NUL byte, before Python 3.11.4
        raise SyntaxError(error) from error


def _assigned(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, _value(value)
    raise _error(statement)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in FLOATS:
            return FLOATS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand)
            if isinstance(value, int | float):
                return -value
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {_key(key): _value(value) for key, value in pairs}
        case ast.Call(func=ast.Name(id='dict'), args=args, keywords=pairs):
            # mmengine writes dict({...}) if keys are not names.
            if all(isinstance(a, ast.Dict) for a in args) and all(
                pair.arg for pair in pairs
            ):
                found = [_value(a) for a in args]
                found.append({pair.arg: _value(pair.value) for pair in pairs})
                return {k: v for part in found for k, v in part.items()}
    raise _error(node)


def _key(node: ast.expr) -> str | int:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        return node.value
    raise _error(node)


def _error(node: ast.stmt | ast.expr) -> ValueError:
    return ValueError(
        f'line {node.lineno} is not a plain value ({ast.unparse(node)!r:.80})'
    )
