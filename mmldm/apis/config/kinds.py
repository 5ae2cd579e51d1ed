"""Kinds of config values: a description for errors, and a test."""

from collections.abc import Callable, Mapping
from typing import Any

Kind = tuple[str, Callable[[Any], bool]]


def is_int(value: Any) -> bool:
    """Whether the value is a whole number, not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether the value is a number, not a bool."""
    return is_int(value) or isinstance(value, float)


def count(most: int = 2**31 - 1, least: int = 1) -> Kind:
    """A whole number in a range."""
    return (
        f'a whole number from {least} to {most}',
        lambda value: is_int(value) and least <= value <= most,
    )


def one_of(*words: str) -> Kind:
    """One of the given words."""
    return f'one of {", ".join(words)}', lambda value: value in words


def list_of(kind: Kind) -> Kind:
    """A list or tuple whose items all have one kind."""
    words, is_kind = kind
    return (
        f'a list, each item {words}',
        lambda value: (
            isinstance(value, list | tuple) and all(map(is_kind, value))
        ),
    )


def either(*kinds: Kind) -> Kind:
    """A value of one of several kinds."""
    return (
        ', or '.join(words for words, _ in kinds),
        lambda value: any(is_kind(value) for _, is_kind in kinds),
    )


NONE: Kind = ('None', lambda value: value is None)
BOOL: Kind = ('True or False', lambda value: isinstance(value, bool))
DICT: Kind = ('a dict', lambda value: isinstance(value, Mapping))
TEXT: Kind = ('a text', lambda value: isinstance(value, str) and value != '')
NAME: Kind = (
    'a name without /',
    lambda value: isinstance(value, str) and value and '/' not in value,
)
POSITIVE: Kind = (
    'a number above 0',
    lambda value: is_number(value) and 0 < value < float('inf'),
)
TYPED: Kind = (
    'a dict with a type',
    lambda value: isinstance(value, Mapping) and 'type' in value,
)
NAMES: Kind = either(TEXT, list_of(TEXT))
