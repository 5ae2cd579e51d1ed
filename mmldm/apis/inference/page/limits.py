"""How much one request of a page may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mmldm.utils import check_count

LONGEST_PROMPT = 2000  # characters


@dataclass(frozen=True)
class Limits:
    """Bounds of a page, whatever a browser sends.

    Args:
        images: Most images of one request.
        steps: Most steps of sampling.
        side: Longest side of an image that is generated or sent, pixels.
        waiting: Most requests that wait while another is drawn.

    Raises:
        ValueError: If a bound is not a whole number above 0.
    """

    images: int = 16
    steps: int = 250
    side: int = 1024
    waiting: int = 8

    def __post_init__(self) -> None:
        for bound in fields(self):
            check_count(bound.name, getattr(self, bound.name))

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise if a request exceeds a bound; name the argument.

        Args:
            arguments: Those of an inferencer's call.

        Raises:
            ValueError: If a number is too large, or a text too long.
        """
        self._at_most('num', arguments.get('num'), self.images)
        self._at_most('steps', arguments.get('steps'), self.steps)
        size = arguments.get('size') or ()
        for side in (size,) if isinstance(size, int) else size:
            self._at_most('size', side, self.side)
        for name in ('prompt', 'negative'):
            text = arguments.get(name)
            if isinstance(text, str) and len(text) > LONGEST_PROMPT:
                raise ValueError(
                    f'{name} has {len(text)} characters, but this page '
                    f'allows {LONGEST_PROMPT}: shorten it'
                )

    def check_picture(self, name: str, size: tuple[int, int]) -> None:
        """Raise if a picture that was sent is too large.

        Args:
            name: The argument.
            size: Height and width, pixels.

        Raises:
            ValueError: If a side is too long.
        """
        if max(size) > self.side:
            raise ValueError(
                f'{name} has {size[1]}x{size[0]} pixels, but this page '
                f'allows sides of {self.side}: send a smaller picture'
            )

    @staticmethod
    def _at_most(name: str, value: Any, most: int) -> None:
        if isinstance(value, int | float) and value > most:
            raise ValueError(
                f'{name}={value} is too much for this page, which allows '
                f'{most}: lower it'
            )
