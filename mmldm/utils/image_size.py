"""Image sizes in configs."""

from collections.abc import Sequence

from .checks import check_count

# The side of a square, or height and width, pixels.
Size = int | Sequence[int]


def height_and_width(size: Size) -> tuple[int, int]:
    """Height and width from a size, pixels."""
    return (size, size) if isinstance(size, int) else tuple(size)


def size_text(size: Sequence[int]) -> str:
    """Height and width as they are written in messages: 192x320."""
    return 'x'.join(map(str, size))


def check_size(name: str, size: Size) -> None:
    """Raise unless a size is a side, or height and width, in pixels."""
    sides = size if isinstance(size, list | tuple) else (size, size)
    if len(sides) != 2:
        raise ValueError(
            f'{name}={size!r} must be the side of a square, or height and '
            'width, in pixels'
        )
    for side in sides:
        check_count(name, side)
