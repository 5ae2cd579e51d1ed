"""Kinds of values in config files of other systems."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# More than any count in a network or process, yet few enough to build one.
MOST = 10**6
LARGEST = 1e300


class Kind(NamedTuple):
    """Description of the valid values, and a test for one."""

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    # math.isfinite would raise for 10**400.
    return known and -LARGEST < value < LARGEST


def _is_count(value: Any) -> bool:
    return _is_number(value) and value in range(1, MOST)


ANY = Kind('anything', lambda _: True)
BOOL = Kind('true or false', lambda value: isinstance(value, bool))
DICT = Kind('a dict', lambda value: isinstance(value, Mapping))
WORD = Kind('a word', lambda value: isinstance(value, str))
NUMBER = Kind('a number', _is_number)
POSITIVE = Kind('a number above 0', lambda v: _is_number(v) and v > 0)
COUNT = Kind(f'a whole number from 1 to {MOST - 1}', _is_count)


def either(kind: Kind, value: Any) -> Kind:
    """A kind, or one additional value."""
    said = 'null' if value is None else value
    return Kind(
        f'{kind.words}, or {said}',
        lambda given: (
            kind.fits(given) or (type(given) is type(value) and given == value)
        ),
    )


def list_of(kind: Kind, least: int = 1) -> Kind:
    """A list of one kind, with at least so many items."""
    return Kind(
        f'a list of {least} or more, each {kind.words}',
        lambda value: (
            isinstance(value, list | tuple)
            and len(value) >= least
            and all(map(kind.fits, value))
        ),
    )


def one_of(*values: str) -> Kind:
    """One of several words."""
    return Kind(
        f'one of {", ".join(values)}',
        lambda value: isinstance(value, str) and value in values,
    )


def any_of(*kinds: Kind) -> Kind:
    """A value of any of several kinds."""
    return Kind(
        ', or '.join(kind.words for kind in kinds),
        lambda value: any(kind.fits(value) for kind in kinds),
    )
