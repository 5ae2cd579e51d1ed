"""Configs as Python text that has only literals."""

import math
import re
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any

WIDTH, INDENT = 79, 4


def config_text(content: Mapping[str, Any], remark: str) -> str:
    """A config file: a remark, then top-level assignments of literals.

    For any values, the text has only a comment, names, literals and
    ``dict(...)``: a key that is not a name becomes a literal too, and the text
    has no ``{{ }}``, which mmengine would replace.

    Args:
        content: The config, top-level name to value.
        remark: The first line, without its comment sign.

    Raises:
        ValueError: If a value cannot be written as a literal.
    """
    odd = [key for key in content if not _is_name(key)]
    if odd:
        raise ValueError(f'top-level config key {odd[0]!r} must be a name')
    line = re.sub(r'\{(?=\{)', '{ ', repr(remark)[1:-1])
    assignments = [
        f'{key} = {_text(value, f"{key} = ", 0)}\n'
        for key, value in content.items()
    ]
    return f'# {line}\n\n{"".join(assignments)}'


def _text(value: Any, before: str, depth: int) -> str:
    """A value as Python text, on one line if it fits after ``before``."""
    line = _inline(value)
    if len(before) + depth + len(line) + 1 <= WIDTH:
        return line
    inner = depth + INDENT
    if isinstance(value, Mapping):
        items = list(_items(value))
        start, end = ('dict(', ')') if _is_call(value) else '{}'
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
        items = ', '.join(f'{k}{_inline(item)}' for k, item in _items(value))
        return f'dict({items})' if _is_call(value) else f'{{{items}}}'
    if isinstance(value, list):
        return f'[{", ".join(map(_inline, value))}]'
    if isinstance(value, tuple):
        items = ', '.join(map(_inline, value))
        return f'({items},)' if len(value) == 1 else f'({items})'
    return _literal(value)


def _items(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """(text before the value, value) for all items of a dict."""
    call = _is_call(value)
    for key, item in value.items():
        yield (f'{key}=' if call else f'{_literal(key)}: '), item


def _is_call(value: Mapping[Any, Any]) -> bool:
    """Whether a dict can be written as ``dict(key=value)``."""
    return all(map(_is_name, value))


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not iskeyword(key)


def _literal(value: Any) -> str:
    """A plain value as Python text, without any ``{{``."""
    if isinstance(value, str):
        # repr doubles backslashes, so \x7b cannot come from the text itself.
        return repr(str(value)).replace('{{', '\\x7b\\x7b')
    if isinstance(value, float) and math.isinf(value):
        return '1e999' if value > 0 else '-1e999'
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, float) and not math.isnan(value):
        return repr(float(value))  # the repr of NumPy's floats is no literal
    raise ValueError(
        f'a config cannot hold {value!r:.80}: use numbers, texts, lists '
        'and dicts'
    )


def recordable(value: Any) -> Any:
    """A value with texts in place of parts that have no literal.

    A class or function becomes its dotted name; NaN and any other object
    become their ``repr``.
    """
    if isinstance(value, Mapping):
        return {recordable(k): recordable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(recordable, value))
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return 'nan' if math.isnan(value) else value
    name = getattr(value, '__qualname__', None)
    return f'{value.__module__}.{name}' if name else repr(value)
