"""Lay results of tools/test.py beside each other.

    python tools/analysis_tools/compare_results.py \\
        work_dirs/A work_dirs/B
    python tools/analysis_tools/compare_results.py RESULTS... \\
        --x sampling.num_steps --y inception/fd --plot fd.png

The table has the settings in which the results differ, and all metrics. With
--plot, one metric is drawn against one setting, such as sampling.num_steps or
sampling.guidance.scale: a line for each value of the other settings. An entry
of a list has its number in the name, as in judges.0.side.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmldm.apis import run_tool
from mmldm.utils.files import check_file_to_write

if TYPE_CHECKING:
    from mmldm.apis.result_table import Result


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'results',
        nargs='+',
        help='work directories of tests, or files ..._protocol.json',
    )
    parser.add_argument('--x', help='setting along the plot, a number')
    parser.add_argument('--y', help='metric up the plot')
    parser.add_argument(
        '--plot', metavar='FILE.png', help='write the plot here'
    )
    return parser.parse_args()


def plot(results: list[Result], x: str, y: str, path: str) -> None:
    """Write the curves of a metric against a setting."""
    from matplotlib.figure import Figure

    from mmldm.apis.result_table import curves

    figure = Figure(figsize=(5, 3.5), layout='constrained')
    axes = figure.add_subplot()
    lines = curves(results, x, y)
    for label, points in lines.items():
        axes.plot(*zip(*points, strict=True), marker='o', label=label)
    if len(lines) > 1:
        axes.legend()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Compare."""
    args = parse_args()
    if args.plot is not None:
        if args.x is None or args.y is None:
            raise ValueError('--plot needs --x and --y: name what is plotted')
        check_file_to_write('--plot', args.plot)
    from mmldm.apis.result_table import markdown_table, read_result

    results = [read_result(path) for path in args.results]
    print(markdown_table(results))
    if args.plot is not None:
        plot(results, args.x, args.y, args.plot)
        print(f'Plot written to {args.plot}')


if __name__ == '__main__':
    run_tool(main)
