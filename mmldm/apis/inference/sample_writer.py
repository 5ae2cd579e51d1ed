"""The folder of generated images."""

from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from mmldm.datasets.image_files import read_image
from mmldm.structures import LDMDataSample
from mmldm.utils.image_store import IMAGES
from mmldm.visualization import (
    assemble,
    contact_sheet,
    most_tiles,
    other_images,
    write_image,
)

from .picture_settings import (
    differences,
    is_written,
    made_with,
    model_mark,
    write_picture,
)
from .plan import Plan, Wanted
from .strips import side_by_side, write_animation
from .written import sampling_in_full

# Files beside the grid.
ANIMATION = 'frames.webp'
# Images in the grid of a plan whose rows have one image each.
SHEET = 400


class SampleWriter:
    """Writes the images of a plan, and skips those that are written.

    Args:
        out: The folder; images go to its folder ``images``.
        plan: The images.
        source: Where the model comes from.
    """

    def __init__(self, out: str | Path, plan: Plan, source: str) -> None:
        self.out, self.plan = Path(out), plan
        self.about = dict(
            sampling=dict(plan.ways),
            sampled_by=sampling_in_full(plan.model),
            model=model_mark(plan.draw.model),
            made_with=dict(made_with(plan.model), source=source),
        )

    def path(self, image: Wanted) -> Path:
        """The file of an image."""
        return self.out / IMAGES / f'{image.name}.png'

    def settings(self, image: Wanted) -> dict[str, Any]:
        """Everything that reproduces an image."""
        return dict(
            self.about,
            arguments=self.plan.plain(image.kind),
            number=self.plan.number(image),
        )

    def has(self, image: Wanted) -> bool:
        """Whether an image is there, whole, and made by these settings."""
        return is_written(self.path(image), self.settings(image))

    def write(
        self, image: Wanted, sample: LDMDataSample, batch: Mapping[str, int]
    ) -> np.ndarray:
        """Write an image, and return it, uint8 RGB (H, W, 3).

        Args:
            image: Which one.
            sample: With its ``pred_img``.
            batch: Number of images at a time, and place among them.
        """
        pixels = sample.pred_img.permute(1, 2, 0).cpu().numpy()
        settings = self.settings(image) | dict(batch=batch)
        write_picture(pixels, self.path(image), settings)
        return pixels

    def write_grid(self) -> tuple[Path, int]:
        """Write the grid; return its path and the number of its images.

        Each row of the plan is a row of the grid. If no row has more than
        one image, or sizes differ, the images fill a square.
        """
        path, kinds = self.out / 'grid.png', self.plan.kinds
        sizes = {kind.size for kind in kinds}
        if len(sizes) > 1 or max(kind.num for kind in kinds) == 1:
            height, width = (max(side) for side in zip(*sizes, strict=True))
            most = min(SHEET, most_tiles(height) * most_tiles(width))
            images = [*islice(self.plan.images(), most)]
            picture = contact_sheet([*map(self._pixels, images)])
            count = len(images)
        else:
            rows = [*self._rows()]
            picture, count = assemble(rows), sum(map(len, rows))
        write_image(picture, path)
        return path, count

    def write_frames(self) -> Path:
        """Write the images as an animation, the rows beside each other."""
        # All frames, of which a grid may have no place for the last.
        rows = groupby(self.plan.images(), key=attrgetter('kind'))
        columns = zip(*([*row] for _, row in rows), strict=True)
        path = self.out / ANIMATION
        frames = [
            side_by_side([*map(self._pixels, column)]) for column in columns
        ]
        write_animation(frames, path)
        return path

    def finish(
        self, old: int = 0, then: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Write the pictures of all images; return lines about everything.

        Args:
            old: Number of images that were written before.
            then: Settings of an image that is generated again.
        """
        grid, shown = self.write_grid()
        images = [*self.plan.images()]
        number, folder = len(images), self.path(images[0]).parent
        what = 'all' if shown == number else f'{shown} of them'
        count = '1 image' if number == 1 else f'{number} images'
        lines = [f'{count} in {folder}, {what} in {grid}']
        if old:
            lines.append(f'{old} were there, made by the same settings')
        if any(kind.frames for kind in self.plan.kinds):
            lines.append(f'Animation in {self.write_frames()}')
        others = other_images(self.out, {*map(self.path, images)})
        if others:
            lines.append(f'Note: {others}')
        if then is not None:
            now = self.settings(images[0]._replace(number=then['number']))
            now = {k: v for k, v in now.items() if k in then}
            other = differences(now | dict(batch=then['batch']), then)
            if other:
                lines.append(
                    'Note: the image may differ from the one whose settings '
                    f'are used, as these differ: {", ".join(other)}'
                )
        return lines

    def _rows(self) -> Iterator[list[np.ndarray]]:
        """Images of each row of the plan that the grid has a place for."""
        images = self.plan.images()
        height, width = map(most_tiles, self.plan.kinds[0].size)
        for kind, row in groupby(images, key=attrgetter('kind')):
            if kind == height:
                return
            shown = (image for image in row if image.number < width)
            yield [*map(self._pixels, shown)]

    def _pixels(self, image: Wanted) -> np.ndarray:
        return read_image(str(self.path(image)))
