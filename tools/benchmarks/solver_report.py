"""Tables, verdict and picture of the benchmark of solvers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE = ('DDIM', 'leading')
BASELINE_NFE = 200
CURVES = 8  # in a panel; more could not be distinguished
Row = dict  # solver, grid, parts (their configs), nfe, errors by nfe


def table(rows: Sequence[Row], nfe: Sequence[int]) -> str:
    """A Markdown table with a line for each solver and grid."""
    lines = [
        f'| grid | solver | {" | ".join(map(str, nfe))} |',
        '|---|---|' + '---|' * len(nfe),
    ]
    for row in rows:
        cells = [_cell(row['errors'].get(count)) for count in nfe]
        lines.append(
            f'| {row["grid"]} | {row["solver"]} | {" | ".join(cells)} |'
        )
    return '\n'.join(lines)


def _cell(error: float | None) -> str:
    return '-' if error is None else f'{error:.4f}'.lstrip('0')


def ranking(rows: Sequence[Row], nfe: int, places: int = 4) -> str:
    """The best solvers and grids with ``nfe`` evaluations."""
    known = [row for row in rows if row['errors'].get(nfe) is not None]
    best = sorted(known, key=lambda row: row['errors'][nfe])[:places]
    listed = (
        f'{row["solver"]} on {row["grid"]} {_cell(row["errors"][nfe])}'
        for row in best
    )
    return f'Best with {nfe}: {", ".join(listed)}'


def verdict(rows: Sequence[Row], default: tuple[str, str], aim: int) -> str:
    """Whether the default needs ``aim`` evaluations to beat 200 of DDIM."""
    by_pair = {(row['solver'], row['grid']): row['errors'] for row in rows}
    bar = _bar(rows)
    errors = by_pair[default]
    enough = [n for n, error in errors.items() if error and error < bar]
    name = ' on '.join(default)
    said = f'DDIM on the leading grid with 200: {_cell(bar)}. '
    if not enough or min(enough) > aim:
        return f'{said}{name} does not get below it with {aim}: aim missed'
    return (
        f'{said}{name} gets below it with {min(enough)} '
        f'({_cell(errors[min(enough)])}): aim (<= {aim}) met'
    )


def plot(rows: Sequence[Row], path: str) -> None:
    """Plot errors over evaluations, a panel for each grid."""
    from matplotlib.figure import Figure

    grids = list(dict.fromkeys(row['grid'] for row in rows))
    solvers = list(dict.fromkeys(row['solver'] for row in rows))
    label_of_bar = f'{" ".join(BASELINE)}, {BASELINE_NFE}'
    columns = min(4, len(grids))
    lines = -(-len(grids) // columns)
    figure = Figure(
        figsize=(4 * columns + 2, 3.6 * lines), layout='constrained'
    )
    panels = figure.subplots(
        lines, columns, sharey=True, squeeze=False
    ).ravel()
    for panel, grid in zip(panels, grids, strict=False):
        shown = [row for row in rows if row['grid'] == grid]
        for row in sorted(shown, key=_by_aim)[:CURVES]:
            errors = {n: e for n, e in row['errors'].items() if e}
            colour = f'C{solvers.index(row["solver"])}'
            label = row['solver']
            panel.loglog(
                [*errors], [*errors.values()], '.-', color=colour, label=label
            )
        panel.axhline(_bar(rows), color='gray', ls='--', label=label_of_bar)
        panel.set_title(grid)
        nfe = shown[0]['nfe']
        panel.set_xticks(nfe, map(str, nfe), fontsize=7)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    for panel in panels[len(grids) :]:
        panel.set_visible(False)
    figure.supxlabel('evaluations of the network')
    figure.supylabel('error')
    _legend(figure, [*solvers, label_of_bar])
    figure.savefig(path, dpi=120)


def _legend(figure: Figure, names: Sequence[str]) -> None:
    """One legend of the curves in all panels, in the order of their names."""
    curves = {}
    for panel in figure.axes:
        handles, labels = panel.get_legend_handles_labels()
        curves |= dict(zip(labels, handles, strict=True))
    names = [name for name in names if name in curves]
    figure.legend(
        [curves[name] for name in names], names, loc='outside right upper'
    )


def _by_aim(row: Row) -> float:
    """The error with as many evaluations as the strictest aim allows."""
    errors = {n: e for n, e in row['errors'].items() if n <= 15 and e}
    return errors[max(errors)] if errors else math.inf


def _bar(rows: Sequence[Row]) -> float:
    """The error of DDIM on the leading grid with 200 evaluations."""
    (bar,) = (
        row['errors'][BASELINE_NFE]
        for row in rows
        if (row['solver'], row['grid']) == BASELINE
    )
    return bar
