"""The table of a comparison, and what follows from it."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
# Title, key and format of the columns.
COLUMNS = (
    ('first stage', 'name', '{}'),
    ('factor', 'factor', '{}'),
    ('values an image', 'values', '{:,}'),
    ('of the pixels', 'rate', '{:.1%}'),
    ('PSNR, dB', 'psnr', '{:.2f}'),
    ('feature distance', 'feature_distance', '{:.4f}'),
    ('rFID', 'rfid', '{:.2f}'),
    ('encode, ms', 'encode_ms', '{:.1f}'),
    ('decode, ms', 'decode_ms', '{:.1f}'),
    ('GFLOP a step', 'step_gflop', '{:.2f}'),
    ('iterations', 'ldm_iters', '{:,}'),
    ('validation loss', 'validation_loss', '{:.4f}'),
    ('sample distance', 'sample_distance', '{:.2f}'),
)
# Sample distances that differ by less count as equal.
EQUAL = 0.05
# Fewer samples give rough distances only.
FEW = 2000


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    cells = [[title for title, _, _ in COLUMNS]]
    cells += [
        [form.format(row[key]) for _, key, form in COLUMNS] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ['-' * (width - 1) + ':' for width in widths])
    lines = [
        ' | '.join(f'{c:>{w}}' for c, w in zip(row, widths, strict=True))
        for row in cells
    ]
    return '\n'.join(f'| {line} |' for line in lines)


def recommend(rows: Sequence[Row], num_samples: int) -> tuple[str, str]:
    """The name of the best first stage, and the reason.

    The best one is that whose diffusion model makes the samples nearest to
    the images after equal compute; of several that are about equally near, it
    is the one with the fewest operations in a step.

    Args:
        rows: Rows with the keys of :data:`COLUMNS`.
        num_samples: Samples that the distances are measured with.
    """
    nearest = min(rows, key=lambda row: row['sample_distance'])
    limit = (1 + EQUAL) * nearest['sample_distance']
    near = [row for row in rows if row['sample_distance'] <= limit]
    best = min(near, key=lambda row: row['step_gflop'])
    others = ', '.join(
        f'{row["name"]} {row["sample_distance"]:.1f}'
        for row in rows
        if row is not best
    )
    what = (
        'are the nearest to the images'
        if best is nearest
        else f'are within {EQUAL:.0%} of the nearest, at fewer operations'
    )
    reasons = [
        f'After equal compute, the samples in its latents {what}: distance '
        f'{best["sample_distance"]:.1f}, {others}.'
    ]
    sharpest = max(rows, key=lambda row: row['psnr'])
    if sharpest is not best:
        ratio = sharpest['step_gflop'] / best['step_gflop']
        reasons.append(
            f'{sharpest["name"]} reconstructs better ({sharpest["psnr"]:.1f} '
            f'against {best["psnr"]:.1f} dB), but a training step takes '
            f'{ratio:.1f} times the operations.'
        )
    if num_samples < FEW:
        reasons.append(
            f'{num_samples} samples give rough distances; more of them and '
            'longer trainings make this sure.'
        )
    return best['name'], ' '.join(reasons)
