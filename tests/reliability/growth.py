"""How memory and open files grow in a long run."""

from typing import NamedTuple

# Of the memory after the first tenth.
MOST = 0.02


class Look(NamedTuple):
    """Memory in MB, and open files."""

    memory: float
    files: int


class Growth(NamedTuple):
    """From the first tenth of a run to its end.

    The first is of the second tenth, the last of the last one: the median of
    memory and the least number of files, as a look may fall into a
    checkpoint.
    """

    first: Look
    last: Look

    @property
    def memory(self) -> float:
        """As a part of what it was."""
        return self.last.memory / self.first.memory - 1

    @property
    def files_are_closed(self) -> bool:
        """Whether no more files are open than were."""
        return self.last.files <= self.first.files

    @property
    def is_small(self) -> bool:
        """Whether the run may go on for ever."""
        return self.memory < MOST and self.files_are_closed


def growth(looks: list[Look]) -> Growth:
    """Of all looks of a run, in their order."""
    tenth = max(5, len(looks) // 10)
    return Growth(
        _typical(looks[tenth : 2 * tenth] or looks), _typical(looks[-tenth:])
    )


def _typical(looks: list[Look]) -> Look:
    memory = sorted(look.memory for look in looks)
    return Look(memory[len(looks) // 2], min(look.files for look in looks))
