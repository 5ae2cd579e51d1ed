"""Checks that images are as large and as bright as training expects."""

import operator
from collections.abc import Callable, Sequence

import numpy as np

from mmldm.utils.image_size import Size, height_and_width

from .image_files import read_header, read_image, read_values
from .pixel_values import NATURAL, Range
from .report import DataReport
from .threads import in_threads
from .transforms import LoadImage, ResizeShorterSide

# How many images, spread over the data set, are checked.
NUM_SIZES, NUM_VALUES = 1000, 64
WHITE = 2**16 - 1

# From an entry to its file's bytes; None if its ``img_path`` is the file.
ReadContent = Callable[[dict], bytes | None]


class PixelChecks:
    """Checks the pixels of some images of a data set.

    Args:
        steps: The pipeline's transforms.
        content: Reads the file of an entry; see :data:`ReadContent`.
        report: Counts the findings.
    """

    def __init__(
        self, steps: Sequence, content: ReadContent, report: DataReport
    ) -> None:
        self.steps = steps
        self.content = content
        self.report = report

    def in_range(self, entries: Sequence[dict]) -> list[dict]:
        """The entries without values far outside the range that is read.

        All images with floats or 32-bit numbers are decoded, as such numbers
        may have any range.
        """
        doubtful = [i for i, e in enumerate(entries) if _mode(e) in NATURAL]
        causes = in_threads(self._cause, [entries[i] for i in doubtful])
        wrong = set()
        for i, cause in zip(doubtful, causes, strict=True):
            if cause is not None:
                wrong.add(i)
                self.report.defect(
                    'images of floats or large numbers are left out',
                    f'{entries[i]["img_path"]} ({cause})',
                )
        return [e for i, e in enumerate(entries) if i not in wrong]

    def judge(self, entries: Sequence[dict], size: Size | None) -> None:
        """Count the images that will be dark, and those to be enlarged.

        Args:
            entries: All entries that are used.
            size: The data set's size; None if it has none.
        """
        self._judge_levels([e for e in entries if _mode(e)])
        for step in self.steps:
            wanted = getattr(step, 'size', None) or size
            if isinstance(step, ResizeShorterSide) and wanted:
                self._judge_sizes(entries, height_and_width(wanted))
                return

    def key(self) -> list:
        """Plain values that determine what the checks find."""
        sizes = [
            getattr(step, 'size', None)
            for step in self.steps
            if isinstance(step, ResizeShorterSide)
        ]
        return [self._range(), sizes]

    def _judge_levels(self, entries: Sequence[dict]) -> None:
        """Warn if 16-bit images use a small part of their range."""
        wide = [e for e in entries if _mode(e) not in NATURAL]
        if not wide or self._range() is not None:
            return
        seen = _spread(wide, NUM_VALUES)
        most = max(map(self._largest, seen))
        if most <= WHITE // 2:
            white = 2 ** int(most).bit_length() - 1
            for entry in wide:
                self.report.warn(
                    f'images have 16 bits, but values up to {most} of {WHITE} '
                    f'in the {len(seen)} checked, and will be dark',
                    entry['img_path'],
                    f'set value_range=(0, {white}) of LoadImage',
                )

    def _judge_sizes(
        self, entries: Sequence[dict], size: tuple[int, int]
    ) -> None:
        """Warn if images are enlarged, the most enlarged first."""
        seen = _spread(entries, NUM_SIZES)
        factors = []
        for entry in seen:
            path = entry['img_path']
            header = read_header(path, self.content(entry))
            sides = header.height, header.width
            factor = max(map(operator.truediv, size, sides))
            factors.append((factor, f'{path} of {sides[0]}x{sides[1]} pixels'))
        for factor, what in sorted(factors, reverse=True):
            if factor > 1:
                self.report.warn(
                    f'of {len(seen)} images checked do not cover '
                    f'{size[0]}x{size[1]} pixels and are enlarged',
                    f'{what} {factor:.3g} times',
                    'set a smaller size, or leave them out by '
                    f"dict(type='LargeImages', min_side={max(size)})",
                )

    def _range(self) -> Range | None:
        """The ``value_range`` of the transform that reads the images."""
        for step in self.steps:
            if isinstance(step, LoadImage):
                return step.value_range
        return None

    def _cause(self, entry: dict) -> str | None:
        """Why an image cannot be read; None if it can."""
        try:
            content = self.content(entry)
            read_image(entry['img_path'], content, value_range=self._range())
        except (OSError, ValueError) as error:
            return str(error.__cause__ or error)
        return None

    def _largest(self, entry: dict) -> int:
        """The largest 16-bit value; Pillow gives colours by high bytes."""
        path, content = entry['img_path'], self.content(entry)
        if _mode(entry).startswith('I'):
            return int(read_values(path, content).max())
        values = read_values(path, content)
        return 256 * int(values[..., : 3 if values.shape[2] > 2 else 1].max())


def _mode(entry: dict) -> str | None:
    """Pillow's mode if the image has more than 8 bits, else None."""
    return entry.get('mode')


def _spread(entries: Sequence[dict], count: int) -> list[dict]:
    """At most ``count`` entries, evenly spread."""
    count = min(count, len(entries))
    places = np.arange(count) * len(entries) // max(1, count)
    return [entries[i] for i in places]
