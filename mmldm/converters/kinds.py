"""Kinds of values in config files of others: what each key must be."""

from collections.abc import Callable, Sequence
from typing import Any

# More than any count in a network or a process, and few enough to be tried.
MOST = 10**6
LARGEST = 1e300
COUNT = f'a whole number from 1 to {MOST - 1}'

IsKind = Callable[[Any], bool]
# What a kind is called, whether a value is one, and the keys that must be.
Kinds = Sequence[tuple[str, IsKind, str]]


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    # Not math.isfinite, which has no answer for 10**400.
    return known and -LARGEST < value < LARGEST


def is_positive(value: Any) -> bool:
    """Whether it is a number above 0."""
    return is_number(value) and value > 0


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 1 to :data:`MOST` - 1."""
    return is_number(value) and value in range(1, MOST)


def is_text(value: Any) -> bool:
    """Whether it is a text."""
    return isinstance(value, str)


def is_bool(value: Any) -> bool:
    """Whether it is true or false."""
    return isinstance(value, bool)


def list_of(is_kind: IsKind, least: int = 1) -> IsKind:
    """Whether it is a list of one kind, with so many items or more."""
    return lambda value: (
        isinstance(value, list | tuple)
        and len(value) >= least
        and all(map(is_kind, value))
    )


def or_null(is_kind: IsKind) -> IsKind:
    """Whether it is of a kind, or null."""
    return lambda value: value is None or is_kind(value)


def by_key(kinds: Kinds) -> dict[str, tuple[str, IsKind]]:
    """What each key must be, and whether a value is that."""
    return {
        key: (words, is_kind)
        for words, is_kind, keys in kinds
        for key in keys.split()
    }
