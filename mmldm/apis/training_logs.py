"""What a training has logged, read back for curves and tables."""

import json
import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Point = tuple[int, float]
# What a validation logs of itself, beside its metrics.
OF_LOOP = ('time', 'data_time')
STEPS = ('iter', 'step', 'epoch')
# A time this many times the median is no ordinary iteration: it compiled,
# or wrote a checkpoint.
OUTLIER = 2.0


@dataclass(frozen=True)
class TrainingLog:
    """The logged values of one run.

    Args:
        name: What the run is called in a legend.
        values: Points (iteration, value) by key, iterations ascending. Keys
            of a validation are those of its metrics, or ``val/KEY`` where
            training logs KEY too.
    """

    name: str
    values: dict[str, list[Point]]

    def points(self, key: str) -> list[Point]:
        """The points of a key.

        Raises:
            ValueError: If the key was not logged.
        """
        if key not in self.values:
            raise ValueError(
                f'--keys {key} is not in the log of {self.name}, which has '
                f'{", ".join(sorted(self.values)) or "nothing"}'
            )
        return self.values[key]


def read_log(path: str | Path, name: str | None = None) -> TrainingLog:
    """The log of a run.

    If an iteration was run again after a resume, its last values count.

    Args:
        path: Work directory, or ``scalars.json`` of one start.
        name: What to call the run; None for the folder's name.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a line is not JSON; names the file and the line.
    """
    path = Path(path)
    files = _log_files(path)
    found: dict[str, dict[int, float]] = {}
    starts = [_entries(file) for file in files]
    trained = {
        key for start in starts for e in start if 'iter' in e for key in e
    }
    for entries in starts:
        first = min((_step(e) for e in entries), default=0)
        for values in found.values():
            for step in [s for s in values if s >= first]:
                del values[step]
        for entry in entries:
            for key, value in _values(entry, trained):
                found.setdefault(key, {})[_step(entry)] = value
    values = {key: sorted(v.items()) for key, v in found.items() if v}
    where = path.resolve()  # scalars.json lies in RUN/START/vis_data
    run = where if path.is_dir() else [*where.parents][:3][-1]
    return TrainingLog(name or run.name, values)


def _log_files(path: Path) -> list[Path]:
    """The files of a run, oldest start first."""
    if path.is_file():
        return [path]
    files = sorted(path.glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(
            f'{path} has no */vis_data/scalars.json: give a work directory '
            'of a training, or such a file'
        )
    return files


def _entries(file: Path) -> list[dict[str, Any]]:
    """The entries of a file; a last line cut by a kill is left out."""
    lines = file.read_text().splitlines()
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise ValueError(
                f'{file}: line {number} is not JSON: remove it'
            ) from error
        if isinstance(entry, dict) and isinstance(entry.get('step'), int):
            entries.append(entry)
    return entries


def _step(entry: dict[str, Any]) -> int:
    return entry['step']


def _values(
    entry: dict[str, Any], trained: Container[str]
) -> list[tuple[str, float]]:
    """Key and value of what an entry has logged, numbers only."""
    training = 'iter' in entry
    left_out = STEPS if training else (*STEPS, *OF_LOOP)
    return [
        (key if training or key not in trained else f'val/{key}', float(value))
        for key, value in entry.items()
        if key not in left_out and isinstance(value, int | float)
    ]


def smoothed(points: Sequence[Point], weight: float) -> list[Point]:
    """An exponential mean of a curve, without the start's bias.

    Args:
        points: The curve.
        weight: Weight of the past, in [0, 1); 0 leaves the curve.
    """
    mean, result = 0.0, []
    for count, (step, value) in enumerate(points, 1):
        mean = weight * mean + (1 - weight) * value
        result.append((step, mean / (1 - weight**count)))
    return result


def summary(log: TrainingLog) -> list[tuple[str, float, float, int, float]]:
    """For every key: first, last, step of the least, and the least value."""
    rows = []
    for key in sorted(log.values):
        points = [p for p in log.values[key] if math.isfinite(p[1])]
        if points:
            step, least = min(points, key=lambda p: (p[1], p[0]))
            rows.append((key, points[0][1], points[-1][1], step, least))
    return rows


def step_times(
    log: TrainingLog, include_outliers: bool = False
) -> dict[str, float]:
    """Seconds an iteration: mean, least and greatest of the logged means.

    Args:
        log: The log.
        include_outliers: Whether times above twice the median count.

    Returns:
        ``mean``, ``least``, ``greatest``, and ``left_out``, the number of
        outliers.

    Raises:
        ValueError: If no time was logged.
    """
    times = sorted(value for _, value in log.points('time'))
    limit = math.inf if include_outliers else OUTLIER * times[len(times) // 2]
    kept = [time for time in times if time <= limit]
    return dict(
        mean=sum(kept) / len(kept),
        least=kept[0],
        greatest=kept[-1],
        left_out=len(times) - len(kept),
    )
