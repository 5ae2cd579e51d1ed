"""The config that a training checkpoint holds as text, read as data."""

import ast
import math
from typing import Any

# How mmengine writes a float that Python has no literal for.
FLOATS = {'inf': math.inf, 'nan': math.nan}


def read_stored_config(text: str) -> dict[str, Any]:
    """The values that mmengine's ``Config.pretty_text`` assigns.

    Nothing is executed: literals, lists, tuples, dicts and ``dict(...)`` are
    read, and nothing else.

    Raises:
        ValueError: If there is anything else; the line is named.
    """
    try:
        return dict(_assigned(statement) for statement in _parse(text))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f'it cannot be read ({error})') from error


def _parse(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except ValueError as error:  # of a NUL byte, before Python 3.11.4
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
            # Keys that are no names: mmengine writes dict({...}).
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
        f'line {node.lineno} is no plain value ({ast.unparse(node)!r:.80})'
    )
