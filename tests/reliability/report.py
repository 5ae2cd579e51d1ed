"""Tables of figures."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence


class Report:
    """Counts by row and column, printed as Markdown.

    Args:
        columns: In their order.
        good: Those that may be more than 0.
    """

    def __init__(self, columns: Sequence[str], good: Collection[str]) -> None:
        self.columns = columns
        self.good = good
        self.rows: dict[str, Counter] = {}

    def add(self, row: str, counts: Mapping[str, int]) -> None:
        """Add counts to those of a row.

        Raises:
            KeyError: If there is no such column.
        """
        for column in counts:
            if column not in self.columns:
                raise KeyError(f'no column {column!r}: {self.columns}')
        self.rows.setdefault(row, Counter()).update(counts)

    @property
    def total(self) -> Counter:
        """By column."""
        return sum(self.rows.values(), Counter())

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong, of something."""
        bad = [n for name, n in self.total.items() if name not in self.good]
        return bool(self.rows) and not any(bad)

    def __str__(self) -> str:
        lines = [('', *self.columns), ('---', *('--:' for _ in self.columns))]
        for name, counts in [*sorted(self.rows.items()), ('all', self.total)]:
            lines.append((name, *(str(counts[c]) for c in self.columns)))
        return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
