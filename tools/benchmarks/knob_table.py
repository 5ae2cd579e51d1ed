"""The table that knobs.py prints, and writes into a page."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Difference that is taken for an effect, in spreads.
CLEAR = 3.0

Values = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Table:
    """Means and spreads of knobs, compared with a base.

    Args:
        titles: Titles of the rows by name of the knob.
        metrics: Titles of the columns by name of the metric; of a metric
            whose title begins with 'FD', less is better.
        results: Values of the seeds by knob and metric.
        base: The knob that others are compared with.
    """

    titles: Mapping[str, str]
    metrics: Mapping[str, str]
    results: Mapping[str, Values]
    base: str

    def __str__(self) -> str:
        """The table in Markdown; clearly better means are bold."""
        columns = self.metrics
        lines = [
            f'| | {" | ".join(columns.values())} |',
            f'|---|{"--:|" * len(columns)}',
        ]
        for name in self.results:
            cells = ' | '.join(self._cell(name, key) for key in columns)
            lines.append(f'| {self.titles[name]} | {cells} |')
        return '\n'.join(lines)

    def verdict(self) -> str:
        """Two sentences: the knobs that are clearly better, and worse."""
        return (
            f'By {CLEAR:.0f} spreads or more better than the base: '
            f'{self._clear(1)}. Worse: {self._clear(-1)}.'
        )

    def _clear(self, sign: int) -> str:
        """Knobs with a clear gain, or loss, and the metrics that show it."""
        found = []
        for name in self.results:
            titles = [
                title
                for key, title in self.metrics.items()
                if sign * self._gain(name, key) >= CLEAR
            ]
            if titles:
                found.append(f'{self.titles[name]} ({"; ".join(titles)})')
        return ', '.join(found) or 'none'

    def _gain(self, name: str, key: str) -> float:
        """The difference, positive if the knob is better than the base."""
        less = self.metrics[key].startswith('FD')
        return self._difference(name, key) * (-1 if less else 1)

    def _difference(self, name: str, key: str) -> float:
        """The difference from the base, in spreads.

        The unit is the median spread of the column, as that of three seeds
        alone is hardly known, or the row's own spread if it is larger. It is
        not finite if no seed makes a difference.
        """
        spreads = [statistics.stdev(v[key]) for v in self.results.values()]
        own, base = self.results[name][key], self.results[self.base][key]
        unit = max(statistics.median(spreads), statistics.stdev(own))
        apart = statistics.mean(own) - statistics.mean(base)
        if unit == 0:
            return math.nan if apart == 0 else math.copysign(math.inf, apart)
        return apart / unit

    def _cell(self, name: str, key: str) -> str:
        text = mean_and_spread(self.results[name][key])
        if name == self.base:
            return text
        if self._gain(name, key) >= CLEAR:
            text = f'**{text}**'
        apart = self._difference(name, key)
        return f'{text} ({apart:+.1f})' if math.isfinite(apart) else text


def mean_and_spread(values: Sequence[float]) -> str:
    """The mean with as many places as two digits of the spread have."""
    mean, spread = statistics.mean(values), statistics.stdev(values)
    places = 3 if spread == 0 else 1 - math.floor(math.log10(spread))
    places = min(max(places, 0), 3)
    return f'{mean:.{places}f} +- {spread:.{places}f}'


def write_into(page: Path, name: str, text: str) -> None:
    """Replace what a page has between the markers of a name.

    Raises:
        ValueError: If the page lacks the markers.
    """
    before, after = (f'<!-- {name}: {end} -->' for end in ('begin', 'end'))
    pattern = rf'{re.escape(before)}\n.*?{re.escape(after)}'
    old = page.read_text()
    new, count = re.subn(
        pattern, lambda _: f'{before}\n{text}\n{after}', old, flags=re.S
    )
    if count != 1:
        raise ValueError(
            f'{page} has {count} places for the table {name!r}, expected 1: '
            f'write {before} and {after} on lines of their own'
        )
    page.write_text(new)
