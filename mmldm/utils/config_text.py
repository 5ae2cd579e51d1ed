"""Configs as Python text that consists of literals only."""

import math
import re
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any

WIDTH, INDENT = 79, 4


def config_text(content: Mapping[str, Any], remark: str) -> str:
    """A config file: a remark, then top-level assignments of literals.

    The text consists of a comment, names, literals and ``dict(...)``,
    whatever the values are: a key that is no name becomes a literal too, and
    mmengine finds no ``{{ }}`` to replace by other text.

    Args:
        content: By top-level name.
        remark: The first line, without its mark.

    Raises:
        ValueError: If a value is none that a literal can be written for.
    """
    odd = [key for key in content if not _is_name(key)]
    if odd:
        raise ValueError(f'{odd[0]!r} is no name of a top-level config key')
    line = re.sub(r'\{(?=\{)', '{ ', repr(remark)[1:-1])
    assignments = [
        f'{key} = {_text(value, f"{key} = ", 0)}\n'
        for key, value in content.items()
    ]
    return f'# {line}\n\n{"".join(assignments)}'


def _text(value: Any, before: str, depth: int) -> str:
    """A value in Python, on one line where it fits behind ``before``."""
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
    """Text before each value of a dict, and the value."""
    call = _is_call(value)
    for key, item in value.items():
        yield (f'{key}=' if call else f'{_literal(key)}: '), item


def _is_call(value: Mapping[Any, Any]) -> bool:
    """Whether ``dict(key=value)`` can be written: all keys are names."""
    return all(map(_is_name, value))


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not iskeyword(key)


def _literal(value: Any) -> str:
    """A plain value in Python, without any ``{{``."""
    if isinstance(value, str):
        # The repr of a text has each of its backslashes twice.
        return repr(str(value)).replace('{{', '\\x7b\\x7b')
    if isinstance(value, float) and math.isinf(value):
        return '1e999' if value > 0 else '-1e999'
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, float) and not math.isnan(value):
        return repr(float(value))  # NumPy's own are no literals
    raise ValueError(
        f'a config cannot hold {value!r:.80}: write numbers, texts, lists '
        'and dicts'
    )


def recordable(value: Any) -> Any:
    """A value with text in place of what no literal can be written for.

    A class or function becomes its dotted name, any other object, and NaN,
    its ``repr``.
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
