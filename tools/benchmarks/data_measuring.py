"""Images, alternating runs and reports for the benchmarks of data."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

# ImageNet's usual size and files of about 110 kB.
HEIGHT, WIDTH, QUALITY = 375, 500, 92


def write_photographs(
    folder: Path, count: int, height: int = HEIGHT, width: int = WIDTH
) -> list[Path]:
    """Write JPEG files whose detail falls with its frequency as in photos."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f'{number:05}.jpg'
        image = photograph(number, height, width)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        paths.append(path)
    return paths


def photograph(seed: int, height: int, width: int) -> np.ndarray:
    """Noise whose octaves have equal power, uint8 (H, W, 3)."""
    generator = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    side = 2
    while side < 2 * max(height, width):
        noise = generator.standard_normal((side, side, 3)).astype(np.float32)
        image += cv2.resize(noise, (width, height))
        side *= 2
    grey = image.mean(2, keepdims=True)
    image = 128 + 18 * (2 * grey + 0.3 * image)
    return image.clip(0, 255).astype(np.uint8)


def alternate(
    runs: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Seconds of each run, which take turns; the first turn is left out.

    Each turn has the other order than the one before, as a processor slows
    down with heat.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(1 + repeats):
        names = [*runs][:: (1, -1)[turn % 2]]
        for name in names:
            start = time.perf_counter()
            runs[name]()
            seconds = time.perf_counter() - start
            if turn:
                found[name].append(seconds)
    return found


def ratios(before: Sequence[float], now: Sequence[float]) -> dict[str, float]:
    """How many times as fast: median, least and largest of the turns."""
    found = sorted(b / n for b, n in zip(before, now, strict=True))
    return dict(
        median=round(statistics.median(found), 3),
        least=round(found[0], 3),
        largest=round(found[-1], 3),
    )


def report(**values: object) -> None:
    """Print results as JSON, with machine, versions and date."""
    where = dict(
        machine=f'{platform.machine()}, {os.cpu_count()} CPUs',
        threads=os.environ.get('OMP_NUM_THREADS'),
        torch=version('torch'),
        opencv=cv2.__version__,
        date=str(date.today()),
    )
    print(json.dumps({**values, **where}, indent=1))
