"""Checks of what users give: a ``ValueError`` with value and remedy."""

from collections.abc import Collection
from difflib import get_close_matches


def check_positive(name: str, value: float) -> None:
    """Raise unless ``value`` > 0."""
    if not value > 0:
        raise ValueError(f'{name}={value} must be positive')


def check_divisible(
    name: str, value: int, divisor_name: str, divisor: int
) -> None:
    """Raise unless ``divisor`` divides ``value``; name the neighbours."""
    if value % divisor:
        below = value // divisor * divisor
        valid = [str(n) for n in (below, below + divisor) if n > 0]
        raise ValueError(
            f'{name}={value} is not divisible by {divisor_name}={divisor}: '
            f'set {name} to {" or ".join(valid)}'
        )


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise unless ``value`` is in ``choices``; list the nearest first."""
    if value not in choices:
        raise ValueError(
            f'{name}={value!r} is not known{suggest(value, choices)}'
        )


def suggest(word: str, choices: Collection[str]) -> str:
    """'; did you mean X? Valid names: ...' for an error message."""
    near = get_close_matches(word, choices, n=3, cutoff=0.6)
    if not choices:
        return ', and takes none'
    hint = f'; did you mean {" or ".join(map(repr, near))}?' if near else '.'
    return f'{hint} Valid names: {", ".join(sorted(choices))}'
