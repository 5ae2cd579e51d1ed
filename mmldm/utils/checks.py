"""Checks of users' values: a ``ValueError`` with value and remedy."""

import math
from collections.abc import Collection
from difflib import get_close_matches
from numbers import Integral, Real

# Names that an error message lists.
MOST_NAMES = 40


def check_positive(name: str, value: float) -> None:
    """Raise unless ``value`` is a number > 0."""
    if not (_is_number(value) and value > 0):
        raise ValueError(f'{name}={value!r} must be {_a(value)}positive')


def check_count(name: str, value: int) -> None:
    """Raise unless ``value`` is a whole number > 0."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and value > 0):
        raise ValueError(f'{name}={value!r} must be a whole number, 1 or more')


def check_range(
    name: str, value: float, low: float, high: float, hint: str = ''
) -> None:
    """Raise unless ``value`` is a finite number in [low, high].

    Args:
        name: Name of the value in the message.
        value: The user's value.
        low: The least valid value.
        high: The largest valid value; ``math.inf`` for no limit.
        hint: Text to add to the message.
    """
    if _is_number(value) and low <= value <= high and value < math.inf:
        return
    span = f'>= {low:.10g}'
    if high < math.inf:
        span = f'in [{low:.10g}, {high:.10g}]'
    raise ValueError(f'{name}={value!r} must be {_a(value)}{span}{hint}')


def check_share(
    name: str, value: float, high: float = 1, hint: str = ''
) -> None:
    """Raise unless ``value`` is a number in (0, high].

    Args:
        name: Name of the value in the message.
        value: The user's value.
        high: The largest valid value.
        hint: Text to add to the message.
    """
    if not (_is_number(value) and 0 < value <= high):
        raise ValueError(
            f'{name}={value!r} must be {_a(value)}in (0, {high:g}]{hint}'
        )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _a(value: object) -> str:
    return '' if _is_number(value) else 'a number, '


def check_divisible(
    name: str, value: int, divisor_name: str, divisor: int
) -> None:
    """Raise unless ``divisor`` divides ``value``; suggest near multiples."""
    if value % divisor:
        below = value // divisor * divisor
        valid = [str(n) for n in (below, below + divisor) if n > 0]
        raise ValueError(
            f'{name}={value} is not divisible by {divisor_name}={divisor}: '
            f'set {name} to {" or ".join(valid)}'
        )


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise unless ``value`` is in ``choices``; suggest similar ones."""
    if value not in choices:
        raise ValueError(
            f'{name}={value!r} is not known{suggest(str(value), choices)}'
        )


def suggest(word: str, choices: Collection[str]) -> str:
    """'; did you mean X? Valid names: ...' for an error message.

    Of more than ``MOST_NAMES`` names, those that are left out are counted.
    """
    near = get_close_matches(word, choices, n=3, cutoff=0.6)
    if not choices:
        return ', and takes none'
    hint = f'; did you mean {" or ".join(map(repr, near))}?' if near else '.'
    names = sorted(choices)
    shown = ', '.join(names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        shown += f' and {len(names) - MOST_NAMES:,} more'
    return f'{hint} Valid names: {shown}'
