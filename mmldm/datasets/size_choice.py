"""The size that each image of a data set is cut to."""

import base64
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from mmldm.utils.image_size import size_text
from mmldm.utils.several_sizes import Sizes, count_sizes

from .aspect_buckets import covering, nearest_sizes
from .image_files import read_header
from .report import DataReport, printable
from .threads import in_threads

# Sizes that a line names, those of the most images first.
MOST_NAMED = 20


def choose_sizes(
    entries: Sequence[dict],
    sizes: Sizes,
    content: Callable[[dict], bytes | None],
    report: DataReport,
) -> np.ndarray:
    """The number of the size of each image, and a line about all, (N,).

    Args:
        entries: The images; all their headers are read.
        sizes: The sizes (height, width).
        content: Reads the file of an entry; None if ``img_path`` is the file.
        report: Receives the line, and counts images that are enlarged.
    """

    def shape(entry: dict) -> tuple[int, int]:
        header = read_header(entry['img_path'], content(entry))
        return header.height, header.width

    shapes = np.array(in_threads(shape, entries))
    numbers = nearest_sizes(shapes, sizes)
    factors, lost = covering(shapes, np.array(sizes)[numbers])
    names = [entry['img_path'] for entry in entries]
    large = [int(i) for i in np.argsort(-factors) if factors[i] > 1]
    worst = int(lost.argmax())
    report.state(
        f'{len(entries)} images in sizes by their proportions, height x '
        f'width: {_counts_text(numbers, sizes)}. Cropping cuts away '
        f'{_mean_lost(shapes, factors, lost):.1%} of their area, most, '
        f'{lost[worst]:.0%}, of {printable(names[worst])}; {len(large)} are '
        'enlarged, and none is left out'
    )
    for i in large:
        report.warn(
            'images do not cover their size and are enlarged',
            f'{names[i]} of {size_text(shapes[i])} pixels {factors[i]:.3g} '
            f'times to cover {size_text(sizes[numbers[i]])}',
            'set a smaller size, or leave them out by '
            "dict(type='LargeImages', min_side="
            f'{max(map(min, sizes))})',
        )
    return numbers


def _mean_lost(
    shapes: np.ndarray, factors: np.ndarray, lost: np.ndarray
) -> float:
    """The part of all pixels, after scaling, that is cut away."""
    areas = shapes.prod(axis=1, dtype=np.float64) * factors**2
    return float((areas * lost).sum() / areas.sum())


def _counts_text(numbers: np.ndarray, sizes: Sizes) -> str:
    """Sizes and their numbers of images."""
    counts = count_sizes(numbers, sizes)
    named = {c[:2] for c in sorted(counts, key=lambda c: -c[2])[:MOST_NAMED]}
    texts = [f'{size_text(c[:2])} {c[2]}' for c in counts if c[:2] in named]
    rest = len(counts) - len(texts)
    more = f', and {rest} sizes with fewer' if rest else ''
    return ', '.join(texts) + more


def packed_numbers(numbers: np.ndarray) -> str:
    """Numbers of sizes as a text, some bits for each."""
    return base64.b64encode(zlib.compress(numbers.tobytes())).decode()


def unpacked_numbers(text: str) -> np.ndarray:
    """The numbers of :func:`packed_numbers`."""
    content = zlib.decompress(base64.b64decode(text))
    return np.frombuffer(content, dtype=np.uint16)
