"""Plot noise schedule, sampling levels, loss weights and learning rate.

    python tools/analysis_tools/vis_scheduler.py CONFIG --save-path plots.png
    python tools/analysis_tools/vis_scheduler.py CONFIG --steps 10 \\
        --cfg-options model.diffusion_scheduler.loss_weighting.type=\\
        MinSNRWeighting

A first stage has a learning rate only.
"""

from __future__ import annotations

import argparse
import itertools
from typing import TYPE_CHECKING

from mmldm.apis import config_parser, load_config, run_tool
from mmldm.utils.files import check_file_to_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mmengine.config import Config

    from mmldm.diffusion import DiffusionScheduler

SHARES = 20_000  # of training, each with its time
ON_LOG_SCALE = 30.0  # ratio of values from which an axis is logarithmic


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = config_parser(__doc__)
    parser.add_argument(
        '--save-path',
        default='schedules.png',
        metavar='FILE.png',
        help='where the figure is written (default: schedules.png)',
    )
    parser.add_argument(
        '--steps',
        type=int,
        help='steps of sampling (default: those of the config)',
    )
    return parser.parse_args()


def plot_noise(axis: Axes, scheduler: DiffusionScheduler) -> None:
    """Plot signal and noise against time."""
    import torch

    schedule = scheduler.noise_schedule
    times = torch.linspace(0, schedule.last, 1000, dtype=torch.float64)
    level = schedule(times)
    axis.plot(times, level.alpha, label='signal: alpha')
    axis.plot(times, level.sigma, label='noise: sigma')
    axis.set(xlabel='time t', title=type(schedule).__name__)
    if level.sigma.max() > ON_LOG_SCALE:
        axis.set_yscale('log')
    axis.legend()


def plot_levels(axis: Axes, scheduler: DiffusionScheduler) -> None:
    """Plot log-SNR against time, with the levels of sampling."""
    import torch

    schedule = scheduler.noise_schedule
    times = torch.linspace(
        schedule.first, schedule.last, 1000, dtype=torch.float64
    )
    axis.plot(times, schedule(times).log_snr, label='log-SNR')
    levels = [at for at in scheduler.levels() if at.sigma > 0 and at.alpha > 0]
    axis.plot(
        [at.t for at in levels],
        [at.log_snr for at in levels],
        'o',
        markersize=4,
        label=f'{scheduler.num_steps} steps of sampling',
    )
    grid = type(scheduler.time_grid).__name__
    solver = type(scheduler.solver).__name__
    axis.set(xlabel='time t', title=f'{grid}, {solver}')
    axis.legend()


def plot_weights(axis: Axes, scheduler: DiffusionScheduler) -> None:
    """Plot how much training counts each noise level."""
    import torch

    shares = (torch.arange(SHARES, dtype=torch.float64) + 0.5) / SHARES
    schedule = scheduler.noise_schedule
    times = schedule.timestep(scheduler.timestep_sampler(shares))
    level = schedule(times)
    weights = scheduler.loss_weighting(level, scheduler.prediction)
    log_snr, order = level.log_snr.clamp(-20, 20).sort()
    weights = weights.expand_as(log_snr)[order]
    axis.hist(log_snr, 60, density=True, alpha=0.4, label='density')
    other = axis.twinx()
    other.plot(log_snr, weights, 'C1', label='loss weight')
    for side in (axis, other):  # room for the legend
        side.set_ylim(0, 1.3 * side.dataLim.y1)
    name = type(scheduler.loss_weighting).__name__
    sampler = type(scheduler.timestep_sampler).__name__
    axis.set(xlabel='log-SNR', title=f'{sampler}, {name}')
    lines = [a.get_legend_handles_labels() for a in (axis, other)]
    axis.legend(*(a + b for a, b in zip(*lines, strict=True)))


def plot_rates(axis: Axes, cfg: Config) -> None:
    """Plot the learning rate against the iteration."""
    from mmldm.apis.learning_rates import learning_rates

    curves = learning_rates(cfg)
    styles = itertools.cycle(['-', ':', '--'])
    for name, points in curves.items():
        axis.plot(*zip(*points, strict=True), next(styles), label=name)
    axis.set(xlabel='iteration', title='learning rate')
    axis.set_ylim(bottom=0)
    if len(curves) > 1:
        axis.legend()


def main() -> None:
    """Write the figure."""
    args = parse_args()
    check_file_to_write('--save-path', args.save_path)
    cfg = load_config(args)
    from matplotlib.figure import Figure

    from mmldm.diffusion import Sampling
    from mmldm.registry import DIFFUSION_SCHEDULERS

    config = cfg.model.get('diffusion_scheduler')
    rows = columns = 1 if config is None else 2
    figure = Figure((5.5 * columns, 3.5 * rows), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False)
    if config is not None:
        scheduler = DIFFUSION_SCHEDULERS.build(config.to_dict())
        scheduler = Sampling.of(steps=args.steps).applied(scheduler)
        for axis, plot in zip(
            axes.flat, (plot_noise, plot_levels, plot_weights), strict=False
        ):
            plot(axis, scheduler)
    plot_rates(axes.flat[-1], cfg)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    figure.savefig(args.save_path, dpi=110)
    print(f'Figure written to {args.save_path}')


if __name__ == '__main__':
    run_tool(main)
