"""Plot what trainings have logged, and print their times.

    python tools/analysis_tools/analyze_logs.py plot_curve WORK_DIR \\
        --keys loss lr --out curves.png
    python tools/analysis_tools/analyze_logs.py plot_curve RUN_A RUN_B \\
        --keys loss --legend small large --smooth 0.9
    python tools/analysis_tools/analyze_logs.py cal_train_time WORK_DIR
    python tools/analysis_tools/analyze_logs.py table WORK_DIR

A log is a work directory, with all its starts, or one scalars.json. Every key
has a plot of its own, with a line for each log. The table has the first, the
last and the least value of every key.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmldm.apis import run_tool
from mmldm.utils import check_range
from mmldm.utils.files import check_file_to_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmldm.apis.training_logs import TrainingLog

ON_LOG_SCALE = 30.0  # ratio of values from which an axis is logarithmic


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tasks = parser.add_subparsers(dest='task', required=True, metavar='TASK')
    curve = tasks.add_parser('plot_curve', help='plot curves')
    curve.add_argument(
        '--keys',
        nargs='+',
        default=['loss'],
        help='what to plot, such as loss, lr, time, or a metric (default: '
        'loss)',
    )
    curve.add_argument('--title', help='title of the figure')
    curve.add_argument('--legend', nargs='+', help='a name for each log')
    curve.add_argument(
        '--smooth',
        type=float,
        default=0.0,
        help='weight of the past in an exponential mean, in [0, 0.999]; the '
        'raw curve stays visible behind it; lr is not smoothed (default: 0)',
    )
    curve.add_argument(
        '--out',
        default='curves.png',
        metavar='FILE.png',
        help='where the figure is written (default: curves.png)',
    )
    times = tasks.add_parser('cal_train_time', help='print the step times')
    times.add_argument(
        '--include-outliers',
        action='store_true',
        help='count times above twice the median, too',
    )
    table = tasks.add_parser('table', help='print a table of all keys')
    for task in (curve, times, table):
        task.add_argument('logs', nargs='+', help='work directories, or files')
    return parser.parse_args()


def plot_curves(logs: list[TrainingLog], args: argparse.Namespace) -> None:
    """Write the figure."""
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(7, 3.2 * len(args.keys)), layout='constrained', dpi=120
    )
    axes = figure.subplots(len(args.keys), squeeze=False)[:, 0]
    for axis, key in zip(axes, args.keys, strict=True):
        _plot_key(axis, logs, key, args.smooth)
    axes[-1].set_xlabel('iteration')
    if args.title:
        figure.suptitle(args.title)
    figure.savefig(args.out)


def _plot_key(
    axis: Axes, logs: list[TrainingLog], key: str, weight: float
) -> None:
    from mmldm.apis.training_logs import smoothed

    values = []
    for i, log in enumerate(logs):
        points = log.points(key)
        values += [value for _, value in points]
        marker = 'o' if len(points) < 30 else None
        if weight and key != 'lr':  # the rate has no noise to smooth
            axis.plot(*zip(*points, strict=True), color=f'C{i}', alpha=0.25)
            points = smoothed(points, weight)
        axis.plot(
            *zip(*points, strict=True),
            color=f'C{i}',
            label=log.name,
            marker=marker,
            markersize=3,
        )
    wide = min(values) > 0 and max(values) > ON_LOG_SCALE * min(values)
    if wide and key != 'lr':  # a schedule is known by its linear shape
        axis.set_yscale('log')
    axis.set_ylabel(key)
    axis.grid(alpha=0.3)
    if len(logs) > 1:
        axis.legend()


def print_times(log: TrainingLog, include_outliers: bool) -> None:
    """Print a line about the step times of a log."""
    from mmldm.apis.training_logs import step_times

    times = step_times(log, include_outliers)
    print(
        f'{log.name}: {times["mean"]:.4g} s an iteration '
        f'({times["least"]:.4g} to {times["greatest"]:.4g}; '
        f'{times["left_out"]:g} outliers left out)'
    )


def print_table(log: TrainingLog) -> None:
    """Print first, last and least value of every key."""
    from mmldm.apis.training_logs import summary

    rows = summary(log)
    width = max(len(row[0]) for row in rows) + 2
    print(f'{log.name}\n{"key":{width}}{"first":>12}{"last":>12}{"least":>12}')
    for key, first, last, step, least in rows:
        print(
            f'{key:{width}}{first:>12.5g}{last:>12.5g}{least:>12.5g} at {step}'
        )


def main() -> None:
    """Read the logs, and plot or print."""
    args = parse_args()
    legend = getattr(args, 'legend', None) or [None] * len(args.logs)
    if len(legend) != len(args.logs):
        raise ValueError(
            f'--legend has {len(legend)} names for {len(args.logs)} logs: '
            'give one for each'
        )
    if args.task == 'plot_curve':
        check_range('--smooth', args.smooth, 0, 0.999)
        check_file_to_write('--out', args.out)
    from mmldm.apis.training_logs import read_log

    logs = [read_log(*pair) for pair in zip(args.logs, legend, strict=True)]
    if args.task == 'plot_curve':
        plot_curves(logs, args)
        print(f'Figure written to {args.out}')
    for log in logs if args.task == 'cal_train_time' else ():
        print_times(log, args.include_outliers)
    for log in logs if args.task == 'table' else ():
        print_table(log)


if __name__ == '__main__':
    run_tool(main)
