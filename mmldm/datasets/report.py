"""Counts and messages about data that is left out or changed."""

import logging
from dataclasses import dataclass, replace

from mmengine.logging import print_log


@dataclass
class _Kind:
    """One kind of finding, and how often it occurred.

    Args:
        example: The first occurrence.
        remedy: What a user can do; may be empty.
        level: Logging level.
        defect: Whether strict data sets refuse it.
    """

    example: str = ''
    remedy: str = ''
    level: int = logging.INFO
    defect: bool = False
    count: int = 0

    def line(self, what: str) -> str:
        """The message: count, ``what``, example and remedy."""
        if not self.count:
            return what
        remedy = f': {self.remedy}' if self.remedy else ''
        return f'{self.count} {what}, such as {self.example}{remedy}'


class DataReport:
    """Counts what is left out, cut or repaired, with a line for each kind.

    Args:
        owner: Name of the data set, for messages.
        strict: Refuse defects instead of leaving them out.
    """

    def __init__(self, owner: str, strict: bool = False) -> None:
        self.owner = owner
        self.strict = strict
        self.kinds: dict[str, _Kind] = {}

    def defect(self, what: str, example: str, remedy: str = '') -> None:
        """Count a defect that is left out or repaired.

        Args:
            what: The defect and its treatment, to follow a number: 'images
                cannot be read and are left out'. Equal texts are counted
                together.
            example: Name of this occurrence; the first one is shown.
            remedy: What a user can do.
        """
        kind = _Kind(printable(example), remedy, logging.WARNING, True)
        self._add(what, kind)

    def warn(self, what: str, example: str, remedy: str = '') -> None:
        """Count what is used, but hardly intended; see :meth:`defect`."""
        self._add(what, _Kind(printable(example), remedy, logging.WARNING))

    def note(self, what: str, example: str, remedy: str = '') -> None:
        """Count what is right, but may be unexpected; see :meth:`defect`."""
        self._add(what, _Kind(printable(example), remedy))

    def state(self, sentence: str) -> None:
        """Add a sentence without a count."""
        self.kinds[sentence] = _Kind()

    def join(self, other: 'DataReport') -> None:
        """Add the counts of another report after this one's."""
        for what, kind in other.kinds.items():
            own = self.kinds.setdefault(what, replace(kind, count=0))
            own.count += kind.count

    def _add(self, what: str, kind: _Kind) -> None:
        self.kinds.setdefault(what, kind).count += 1

    def found(self) -> list[list]:
        """Level and line of every kind, for :func:`repeat`."""
        return [[k.level, k.line(what)] for what, k in self.kinds.items()]

    def lines(self) -> list[str]:
        """One text for each kind."""
        return [kind.line(what) for what, kind in self.kinds.items()]

    def reasons(self) -> str:
        """All lines as the end of an error, ' (...)'; empty for none."""
        lines = '; '.join(self.lines())
        return f' ({lines})' if lines else ''

    def tell(self) -> None:
        """Log every kind once.

        Raises:
            ValueError: If there are defects and the report is strict.
        """
        defects = [
            kind.line(what) for what, kind in self.kinds.items() if kind.defect
        ]
        if defects and self.strict:
            raise ValueError(
                f'{self.owner}.strict=True, but {"; ".join(defects)}. Repair '
                'them, or set strict=False to use the rest'
            )
        repeat(self.owner, self.found())


def repeat(owner: str, found: list[list]) -> None:
    """Log what a report has found.

    Args:
        owner: Name of the data set.
        found: Level and line of every kind.
    """
    for level, line in found:
        print_log(f'{owner}: {line}', logger='current', level=level)


def printable(text: str) -> str:
    """A text that prints on one line: other characters are escaped."""
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
