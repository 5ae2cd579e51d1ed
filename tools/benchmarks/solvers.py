"""Measure the error of solvers and time grids by number of evaluations.

    python tools/benchmarks/solvers.py
    python tools/benchmarks/solvers.py --config CONFIG --checkpoint CHECKPOINT

All paths start from the same noise and end at a clean latent. The error is its
distance from the end of a fine path: the root mean square over the elements,
and the median over the samples. Without a checkpoint, the network is the exact
denoiser of a mixture of Gaussians with the noise schedule of latent diffusion.

The default is the solver and the grid of --config. Its error should be below
that of DDIM on the leading grid with 200 evaluations, the setting of the
original's model cards: with 12 evaluations unguided, with 15 for a guidance of
up to 2, and with 20 for more. Stochastic solvers follow no path and have no
such error; Euler and iPNDM-1 equal DDIM.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config
from rich.console import Console
from rich.progress import Progress
from solver_flags import GRIDS, SOLVERS, parse_args
from solver_report import (
    BASELINE,
    BASELINE_NFE,
    Row,
    plot,
    ranking,
    table,
    verdict,
)

from mmldm.apis import run_tool
from mmldm.utils.shipped import config_path

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from solver_paths import Mixture, Trained
    from torch import Tensor

RANKED = (10, 15, 20)
# To within a thousandth of a timestep of the table's first level.
REFERENCE = (
    dict(type='UniPC', order=3),
    dict(type='LogSNRGrid', last_time=1e-6),
)


def steps_for(solver: dict, nfe: int) -> int:
    """The number of steps that cost nfe evaluations, or one fewer."""
    if solver['type'] == 'Heun':  # the last step costs one
        return (nfe + 1) // 2
    return nfe - (solver['type'] == 'PLMS')


def aim_for(scale: float) -> int:
    """Evaluations with which the default should beat 200 of DDIM."""
    if scale == 1:
        return 12
    return 15 if scale <= 2 else 20


def measure(
    problem: Mixture | Trained, pairs: Sequence[Row], reference_steps: int
) -> None:
    """Add ``errors`` by ``nfe`` to each solver and grid."""
    total = reference_steps + sum(sum(row['nfe']) for row in pairs)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task('fine path', total=total)
        reference = problem.sample(*REFERENCE, reference_steps)
        progress.advance(task, reference_steps)
        for row in pairs:
            name = f'{row["solver"]}, {row["grid"]}'
            progress.update(task, description=name)
            row['errors'] = {}
            for nfe in row['nfe']:
                row['errors'][nfe] = _error(problem, reference, row, nfe)
                progress.advance(task, nfe)


def _error(
    problem: Mixture | Trained, reference: Tensor, row: Row, nfe: int
) -> float | None:
    solver, grid = row['parts']
    try:
        ends = problem.sample(solver, grid, steps_for(solver, nfe))
    except ValueError:  # the grid does not allow this number of steps
        return None
    per_sample = (ends - reference).square().flatten(1).mean(1).sqrt()
    return float(per_sample.median())


def _machine() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'{torch.get_num_threads()} threads of {platform.machine()}'


def _named(part: dict, known: dict[str, dict]) -> str:
    """The name of a config's part in ``known``; add it if it is missing."""
    from solver_paths import build

    for name, other in known.items():
        if _same(build(part), build(other)):
            return name
    name = ', '.join(map(str, part.values()))
    known[name] = dict(part)
    return name


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and vars(one) == vars(other)


def rows_to_fill(args: argparse.Namespace) -> tuple[list[Row], tuple]:
    """The requested rows, DDIM on the leading grid, and the default."""
    cfg = Config.fromfile(config_path(args.config))
    cfg.merge_from_dict(args.cfg_options)
    parts = cfg.model.diffusion_scheduler
    solvers, grids = dict(SOLVERS), dict(GRIDS)
    default = _named(parts.solver, solvers), _named(parts.time_grid, grids)
    asked = [(solver, grid) for grid in args.grids for solver in args.solvers]
    rows = [
        dict(
            solver=solver,
            grid=grid,
            parts=(solvers[solver], grids[grid]),
            nfe=sorted(args.nfe),
        )
        for solver, grid in dict.fromkeys([*asked, BASELINE, default])
    ]
    for row in rows:
        if (row['solver'], row['grid']) == BASELINE:
            row['nfe'] = sorted({*args.nfe, BASELINE_NFE})
    return rows, default


def main() -> None:
    """Measure, print and write the results."""
    args = parse_args(__doc__)
    import torch
    from solver_paths import Mixture, Trained

    rows, default = rows_to_fill(args)
    sizes = args.num_samples, args.seed
    scale = args.guidance
    if args.checkpoint:
        problem = Trained(
            args.config, args.cfg_options, args.checkpoint, *sizes
        )
        scale = getattr(problem.model.guidance, 'scales', [1.0])[0]
    else:
        problem = Mixture(args.num_modes, args.dim, *sizes, scale)
    measure(problem, rows, args.reference_steps)
    about = (
        f'{problem.name}; {args.num_samples} samples, seed {args.seed}; '
        f'{date.today()}, torch {torch.__version__}, {_machine()}'
    )
    print(f'{about}\n\n{table(rows, sorted(args.nfe))}\n')
    for nfe in sorted({10, 15, 20}.intersection(args.nfe)):
        print(ranking(rows, nfe))
    print(verdict(rows, default, aim_for(scale)))
    if args.out:
        report = dict(about=about, default=default, rows=rows)
        Path(args.out).write_text(json.dumps(report, indent=2) + '\n')
    if args.plot:
        plot(rows, args.plot)


if __name__ == '__main__':
    run_tool(main)
