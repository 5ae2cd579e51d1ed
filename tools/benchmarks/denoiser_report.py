"""The rows of the denoiser benchmark, and its printed results."""

import statistics
from dataclasses import dataclass

import torch

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16}
FORMATS = {
    'NCHW': torch.contiguous_format,
    'channels_last': torch.channels_last,
}


@dataclass(frozen=True)
class Row:
    """One row of the table: a setting."""

    task: str  # 'forward' or 'train step'
    dtype: str
    memory_format: str

    def __str__(self) -> str:
        return f'{self.task} | {self.dtype} | {self.memory_format}'


@dataclass(frozen=True)
class Result:
    """Seconds of all runs of both, and the difference of their outputs."""

    ours: list[float]
    theirs: list[float]
    difference: float

    @property
    def ratio(self) -> float:
        """Median of theirs / ours; above 1, ours is faster."""
        pairs = zip(self.theirs, self.ours, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)


def rows() -> list[Row]:
    """All settings, the fastest last."""
    return [
        Row(task, dtype, memory_format)
        for task in ('forward', 'train step')
        for dtype in DTYPES
        for memory_format in FORMATS
    ]


def table(results: dict[Row, Result]) -> str:
    """A Markdown table of medians, ratios and differences of outputs."""
    lines = [
        '| task | dtype | memory | ours (s) | diffusers (s) '
        '| diffusers / ours | outputs differ by |',
        '|---|---|---|---|---|---|---|',
    ]
    for row, result in results.items():
        lines.append(
            f'| {row} | {statistics.median(result.ours):.3f} '
            f'| {statistics.median(result.theirs):.3f} '
            f'| {result.ratio:.2f} | {result.difference:.1e} |'
        )
    return '\n'.join(lines)


# A train step with our configs for GPUs, and one with diffusers' defaults.
OURS = Row('train step', 'bfloat16', 'channels_last')
THEIRS = Row('train step', 'float32', 'NCHW')


def verdict(results: dict[Row, Result], defaults: Result) -> str:
    """Compare ours, configured for GPUs, with diffusers' defaults and best.

    Args:
        results: The results of all rows.
        defaults: The result of OURS against THEIRS.
    """
    theirs = [x.theirs for row, x in results.items() if row.task == OURS.task]
    best = min(map(statistics.median, theirs))
    ours = statistics.median(results[OURS].ours)
    slowest = min(results, key=lambda row: results[row].ratio)
    return (
        f'train step, ours in bfloat16 and channels_last: {ours:.3f} s; '
        f"{defaults.ratio:.2f} times as fast as diffusers' defaults, "
        f'{best / ours:.2f} times as fast as its best row\n'
        f'smallest ratio of a row: {results[slowest].ratio:.2f} ({slowest})'
    )
