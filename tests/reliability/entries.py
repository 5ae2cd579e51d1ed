"""One poisoned input, and the canary that tells whether it ran."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from routes import Door

# A file that appears where poison is executed; in the current folder.
CANARY = 'CANARY'
COMMAND = f'touch {CANARY}'
CODE = f"open('{CANARY}', 'w')"
EXPRESSION = f"__import__('os').system('{COMMAND}')"


class Entry(NamedTuple):
    """A poisoned input.

    Attributes:
        kind: Row of the table.
        name: Of the entry.
        write: Puts files into an empty folder, which is the current one of
            all steps.
        route: What users do with them.
        fuse: What executes the poison if it is one: the careless way to read
            it. None where there is none.
    """

    kind: str
    name: str
    write: Callable[[Path], None]
    route: Callable[[], Sequence[Door]]
    fuse: Callable[[], object] | None = None
