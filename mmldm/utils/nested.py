"""Plain values in dicts, such as configs and settings."""

from collections.abc import Iterator, Mapping
from typing import Any


def unequal(
    one: Any, other: Any, path: str = ''
) -> Iterator[tuple[str, Any, Any]]:
    """Each place in which two nested values differ, and what they have there.

    Args:
        one: A value. The places are in its order, before those of ``other``
            alone.
        other: Another one. A key that only one of both has is None in the
            other.
        path: Place of both, dotted.
    """
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        if one != other:
            yield path, one, other
        return
    for key in [*one, *(key for key in other if key not in one)]:
        inner = f'{path}.{key}' if path else key
        yield from unequal(one.get(key), other.get(key), inner)
