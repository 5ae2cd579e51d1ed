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
    memory, and the number of files, which a validation or a checkpoint has
    open for a while. It is the largest of the first looks and the least of
    the last ones: what leaks raises the least one above any number.
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
    first, last = looks[tenth : 2 * tenth] or looks, looks[-tenth:]
    return Growth(
        Look(_median(first), max(look.files for look in first)),
        Look(_median(last), min(look.files for look in last)),
    )


def _median(looks: list[Look]) -> float:
    return sorted(look.memory for look in looks)[len(looks) // 2]
