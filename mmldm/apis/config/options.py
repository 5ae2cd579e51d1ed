"""Changes of a config by options, texts ``KEY=VALUE``."""

import ast
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

# A name, or an index into a list.
STEP = re.compile(r'[^\W\d]\w*|\d+', re.ASCII)
CLOSING = {'(': ')', '[': ']'}
WORDS = {'true': True, 'false': False}
QUOTES = '\'"'
DICTS = (
    'write dicts, and lists of them, as in Python, within quotes of the '
    "shell: key=\"[{'type': 'FolderClasses'}]\""
)


def parse_option(text: str) -> tuple[str, Any]:
    """Parse one option into its dotted key and value.

    Values are numbers, ``True``, ``False``, ``None`` and words; lists are
    written ``[a,b]`` or ``a,b``, tuples ``(a,b)``, and dicts as in Python.

    Raises:
        ValueError: If the text is not ``KEY=VALUE``, or its brackets or
            quotes do not match.
    """
    key, equals, value = text.partition('=')
    if not equals:
        raise ValueError(
            f'--cfg-options {text!r}: expected KEY=VALUE, such as '
            'model.denoiser.channels=64'
        )
    if not all(STEP.fullmatch(step) for step in key.split('.')):
        raise ValueError(
            f'--cfg-options {text!r}: {key!r} is not a dotted key, expected '
            'one such as model.denoiser.channels'
        )
    try:
        return key, _value(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f'--cfg-options {text:.200}: {error}') from error


def _value(text: str) -> Any:
    """The value of the text after ``=``."""
    text = text.strip()
    if '{' in text or '}' in text:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError) as error:
            raise ValueError(DICTS) from error
    if text[:1] in CLOSING:
        parts = _items(text)
        if len(parts) == 1 and text[-1] == CLOSING[text[0]]:
            items = [_item(item) for item in _items(text[1:-1])]
            return tuple(items) if text[0] == '(' else items
        return [_item(item) for item in parts]
    text = _unquoted(text)
    parts = _items(text)
    if len(parts) > 1 or text.endswith(','):
        return [_item(item) for item in parts]
    return _word(text)


def _item(text: str) -> Any:
    """The value of a list's item; commas within quotes do not split it."""
    text = text.strip()
    quoted = text[:1] in QUOTES and text != ''
    return _word(_unquoted(text)) if quoted else _value(text)


def _unquoted(text: str) -> str:
    """The text without the quotes around it."""
    first, last = text[:1], text[-1:]
    if first in QUOTES and first and (len(text) == 1 or first != last):
        raise ValueError(f'the quote {first} is not closed')
    if last in QUOTES and last and first != last and text.count(last) == 1:
        raise ValueError(f'the quote {last} is not opened')
    return text[1:-1] if first and first in QUOTES else text


def _items(text: str) -> list[str]:
    """Parts of a list, split at commas outside brackets and quotes.

    The last part may be followed by a comma.
    """
    if not text.strip():
        return []
    parts, start, expected, quote = [], 0, [], ''
    for place, letter in enumerate(text):
        if quote:
            quote = '' if letter == quote else quote
        elif letter in QUOTES and not text[start:place].strip():
            quote = letter
        elif letter in CLOSING:
            expected.append(CLOSING[letter])
        elif letter in CLOSING.values():
            if not expected or expected.pop() != letter:
                raise ValueError(f'the bracket {letter} is not opened')
        elif letter == ',' and not expected:
            parts.append(text[start:place])
            start = place + 1
    if expected:
        raise ValueError(f'the bracket {expected[-1]} is missing')
    parts += [text[start:]] if text[start:].strip() else []
    if not all(part.strip() for part in parts):
        raise ValueError('an item before a comma is missing')
    return parts


def _word(text: str) -> Any:
    """The number, bool or None that a text means, else the text itself."""
    if text == 'None':
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return WORDS.get(text.lower(), text)


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Write options into a config.

    Raises:
        ValueError: If a key leads into something that is not a dict or list,
            or beyond the end of a list.
    """
    for key in options:
        _check_apart(key, options)
    try:
        cfg.merge_from_dict(
            {key: _whole(cfg, key, value) for key, value in options.items()}
        )
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(
            f'--cfg-options {" ".join(options)}: a key leads into a value '
            f'that is not a dict ({error})'
        ) from error


def _whole(cfg: Config, key: str, value: Any) -> Any:
    """The value; a dict with a type replaces a value that is not a dict."""
    if not isinstance(value, Mapping) or 'type' not in value:
        return value
    present: Any = cfg
    for step in key.split('.'):
        if isinstance(present, list) and step.isdigit():
            present = present[int(step)]
        else:
            present = present.get(step)
            if present is None:
                return value
    if isinstance(present, Mapping):
        return value
    return {**value, '_delete_': True}


def _check_apart(key: str, options: Mapping[str, Any]) -> None:
    """Raise if one option would overwrite another."""
    for other in options:
        if other.startswith(f'{key}.'):
            raise ValueError(
                f'--cfg-options {key} and {other}: one replaces the other: '
                'give only one of them'
            )
