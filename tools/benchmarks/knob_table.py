"""The table that knobs.py prints, and writes into a page."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

# Difference from which a mean is printed bold, in spreads.
CLEAR = 3.0

Values = Mapping[str, Sequence[float]]


def table(
    titles: Mapping[str, str],
    metrics: Mapping[str, str],
    results: Mapping[str, Values],
    base: str,
) -> str:
    """A Markdown table of means, spreads and differences.

    Args:
        titles: Titles of the rows by name of the knob.
        metrics: Titles of the columns by name of the metric; of a metric
            whose title begins with 'FD', less is better.
        results: Values of the seeds by knob and metric.
        base: The knob that others are compared with.
    """
    lines = [
        f'| | {" | ".join(metrics.values())} |',
        f'|---|{"--:|" * len(metrics)}',
    ]
    for name, values in results.items():
        cells = [
            cell(
                values[key],
                None if name == base else results[base][key],
                title.startswith('FD'),
            )
            for key, title in metrics.items()
        ]
        lines.append(f'| {titles[name]} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def cell(
    values: Sequence[float], base: Sequence[float] | None, less: bool
) -> str:
    """Mean, spread, and difference from the base in spreads.

    Args:
        values: A value for each seed.
        base: Those of the base; None for the base itself.
        less: Whether less is better.
    """
    mean, spread = statistics.mean(values), statistics.stdev(values)
    places = 3 if spread == 0 else 1 - math.floor(math.log10(spread))
    places = min(max(places, 0), 3)
    text = f'{mean:.{places}f} +- {spread:.{places}f}'
    if base is None:
        return text
    apart = difference(values, base)
    better = apart <= -CLEAR if less else apart >= CLEAR
    text = f'**{text}**' if better else text
    return f'{text} ({apart:+.1f})' if math.isfinite(apart) else text


def difference(values: Sequence[float], base: Sequence[float]) -> float:
    """Difference of the means, in units of the root mean square of spreads.

    It is not finite if no seed makes a difference.
    """
    spread = math.hypot(*map(statistics.stdev, (values, base))) / math.sqrt(2)
    apart = statistics.mean(values) - statistics.mean(base)
    if spread == 0:
        return math.nan if apart == 0 else math.copysign(math.inf, apart)
    return apart / spread


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
