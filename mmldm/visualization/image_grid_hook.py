"""Pictures of generated images, in validation and in tests."""

import math
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dist import all_gather_object, barrier
from mmengine.hooks import Hook

from mmldm.registry import HOOKS
from mmldm.utils import check_range
from mmldm.utils.image_store import image_path

from .conditions import is_rendered, render_sample
from .grid import choose, contact_sheet, sample_grid, spread_over_classes
from .image_files import other_images, write_image
from .shown_samples import (
    as_array,
    generated,
    labels_read,
    read_by,
    those,
    with_fields,
)

# Number of images that a test shows together with their conditions.
NUM_CONDITIONED = 16


@HOOKS.register_module()
class ImageGridHook(Hook):
    """A grid of images, spread over the data of a validation or a test.

    Generated images of a model with classes are in rows of one class each;
    reconstructions are below their originals. Validation sends the grid to
    the visualizer (files under ``vis_data``, TensorBoard ...), and a test
    writes it as ``grid.png``, both on rank 0. If a model has other conditions
    than classes, a test also writes ``conditions.png``: generated images
    together with their conditions.

    Args:
        num_images: Largest number of images in the grid.
        show_dir: Folder to which a test writes these pictures, and every
            image, see :func:`image_path`. None writes only the pictures, to
            the work directory.
    """

    def __init__(
        self, num_images: int = 64, show_dir: str | None = None
    ) -> None:
        check_range(
            f'{type(self).__name__}.num_images', num_images, 0, math.inf
        )
        self.num_images = num_images
        self.show_dir = show_dir
        self._forget()

    def _forget(self) -> None:
        self.shown: list[tuple] = []
        self.conditioned: list[tuple] = []
        self.chosen: Chosen | None = None

    def before_val_epoch(self, runner) -> None:
        """Forget earlier images."""
        self._forget()

    def before_test_epoch(self, runner) -> None:
        """Forget earlier images."""
        self._forget()

    def after_val_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Keep the images for the grid."""
        self._keep(runner, generated(outputs), runner.val_dataloader.dataset)

    def after_test_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Keep the images for the grid; write all if ``show_dir`` is set."""
        found, dataset = generated(outputs), runner.test_dataloader.dataset
        self._keep(runner, found, dataset)
        self._keep_conditioned(runner, found, dataset)
        if self.show_dir is not None and not _stores_images(runner):
            for sample in found:
                path = image_path(self.show_dir, sample.sample_idx)
                write_image(as_array(sample.pred_img), path)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Send the grid to the visualizer."""
        grid = self._grid(runner)
        if grid is not None:
            runner.visualizer.add_image('images', grid, step=runner.iter)

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Write the grid, and the images with their conditions."""
        pictures = dict(
            grid=self._grid(runner), conditions=self._sheet(runner)
        )
        for name, picture in pictures.items():
            if picture is not None:
                folder = Path(self.show_dir or runner.work_dir)
                path = folder / f'{name}.png'
                write_image(picture, path)
                runner.logger.info(f'Pictures in {path}')
        barrier()  # no process leaves before the files are written
        if self.shown and self.show_dir is not None and runner.rank == 0:
            self._report_images(runner)

    def _report_images(self, runner) -> None:
        """Log the folder of the images, and warn of those of another run."""
        runner.logger.info(f'Images in {image_path(self.show_dir, 0).parent}')
        count = len(runner.test_dataloader.dataset)
        written = {image_path(self.show_dir, i) for i in range(count)}
        if warning := other_images(self.show_dir, written):
            runner.logger.warning(warning)

    def _choose(self, runner, dataset: Sized) -> 'Chosen':
        """The samples to show, the same on every rank."""
        if self.chosen is None:
            labels = labels_read(runner.model, dataset)
            self.chosen = Chosen(
                choose(labels, self.num_images),
                spread_over_classes(labels, NUM_CONDITIONED),
            )
        return self.chosen

    def _keep(self, runner, outputs: Sequence, dataset: Sized) -> None:
        chosen = self._choose(runner, dataset).for_grid
        for sample in those(outputs, chosen):
            pair = [as_array(sample.pred_img)]
            if 'gt_img' in sample:
                pair.insert(0, as_array(sample.gt_img))
            has_label = 'gt_label' in read_by(runner.model)
            label = sample.label if has_label else None
            self.shown.append((sample.sample_idx, pair, label))

    def _keep_conditioned(
        self, runner, outputs: Sequence, dataset: BaseDataset
    ) -> None:
        chosen = self._choose(runner, dataset).with_conditions
        for sample in those(outputs, chosen):
            fields = [f for f in read_by(runner.model) if f in sample]
            if any(is_rendered(f, sample.get(f)) for f in fields):
                picture = render_sample(
                    as_array(sample.pred_img),
                    with_fields(sample, fields),
                    dataset.metainfo.get('classes'),
                )
                self.conditioned.append((sample.sample_idx, picture))

    def _sheet(self, runner) -> np.ndarray | None:
        """The picture of images and conditions; None on ranks other than 0."""
        parts = all_gather_object(self.conditioned)
        if runner.rank > 0:
            return None
        pictures = dict(item for part in parts for item in part)
        ordered = [pictures[index] for index in sorted(pictures)]
        return contact_sheet(ordered) if ordered else None

    def _grid(self, runner) -> np.ndarray | None:
        """The grid; None on ranks other than 0."""
        parts = all_gather_object(self.shown)
        if runner.rank > 0:
            return None
        # Ranks may pad their share with copies, which have the same index.
        shown = {index: item for part in parts for index, *item in part}
        ordered = [shown[index] for index in sorted(shown)]
        return sample_grid(*zip(*ordered, strict=True)) if ordered else None


class Chosen(NamedTuple):
    """Indices of the samples to show.

    Attributes:
        for_grid: Samples in the grid.
        with_conditions: Samples shown with their conditions.
    """

    for_grid: set[int]
    with_conditions: set[int]


def _stores_images(runner) -> bool:
    """Whether the test's loop writes the images itself."""
    return hasattr(getattr(runner, 'test_loop', None), 'store')
