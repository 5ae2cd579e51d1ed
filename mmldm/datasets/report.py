"""What of the data is not used, or not as it stands: counted, and said."""

import logging
from dataclasses import dataclass
from threading import Lock

from mmengine.logging import print_log

_lock = Lock()


@dataclass
class _Kind:
    """How often something was met.

    Args:
        example: The first of them.
        remedy: What a user can do; empty for nothing.
        defect: Whether strict data sets refuse it.
    """

    example: str
    remedy: str
    defect: bool
    count: int = 0

    def line(self, what: str) -> str:
        """What is said, of what was counted."""
        if not self.count:
            return what
        remedy = f': {self.remedy}' if self.remedy else ''
        return f'{self.count} {what}, such as {self.example}{remedy}'


class DataReport:
    """Counts what is left out, cut or repaired; one line for each kind.

    Args:
        owner: Of the data, for errors.
        strict: Refuse defects in place of leaving them out.
    """

    def __init__(self, owner: str, strict: bool = False) -> None:
        self.owner = owner
        self.strict = strict
        self.kinds: dict[str, _Kind] = {}

    def defect(self, what: str, example: str, remedy: str = '') -> None:
        """Count what is wrong and is left out or repaired.

        Args:
            what: It is and what is done, behind a number: 'images cannot be
                read and are left out'. Equal texts are counted together.
            example: Name of it; the first one is said.
            remedy: What a user can do.
        """
        self._add(what, example, remedy, defect=True)

    def note(self, what: str, example: str, remedy: str = '') -> None:
        """Count what is right, but may not be expected; see :meth:`defect`."""
        self._add(what, example, remedy, defect=False)

    def state(self, sentence: str) -> None:
        """Say something that is no number of anything."""
        self.kinds[sentence] = _Kind('', '', defect=False)

    def _add(self, what: str, example: str, remedy: str, defect: bool) -> None:
        kind = _Kind(printable(example), remedy, defect)
        with _lock:
            self.kinds.setdefault(what, kind).count += 1

    def lines(self, defects: bool | None = None) -> list[str]:
        """One text for each kind; all, or those that are defects or none."""
        return [
            kind.line(what)
            for what, kind in self.kinds.items()
            if defects in (None, kind.defect)
        ]

    def reasons(self) -> str:
        """All lines as the end of an error, ' (...)'; empty for none."""
        lines = '; '.join(self.lines())
        return f' ({lines})' if lines else ''

    def tell(self) -> None:
        """Log every kind once.

        Raises:
            ValueError: If there are defects and the report is strict.
        """
        defects = self.lines(defects=True)
        if defects and self.strict:
            raise ValueError(
                f'{self.owner}.strict=True, but {"; ".join(defects)}. Mend '
                'them, or set strict=False to use the rest'
            )
        for line in defects:
            _log(f'{self.owner}: {line}', logging.WARNING)
        for line in self.lines(defects=False):
            _log(f'{self.owner}: {line}', logging.INFO)


def printable(text: str) -> str:
    """A name as it can be printed on one line, whatever bytes it has."""
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _log(line: str, level: int) -> None:
    print_log(line, logger='current', level=level)
