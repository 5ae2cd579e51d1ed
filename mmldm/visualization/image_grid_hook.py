"""Pictures of what a model makes, while training and in tests."""

import math
from collections.abc import Sequence, Sized
from pathlib import Path

import cv2
import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dist import all_gather_object, barrier
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn

from mmldm.registry import HOOKS
from mmldm.utils import check_range

from .conditions import draw_sample, is_drawn
from .grid import contact_sheet, sample_grid

# Images that a test shows together with their conditions.
NUM_TOLD = 16


@HOOKS.register_module()
class ImageGridHook(Hook):
    """One grid of images of a validation or a test, spread over its data.

    Generated images of a model with classes get a row a class;
    reconstructions stand below their originals. Validation sends the grid to
    the visualizer (on disk under ``vis_data``, TensorBoard ...), a test
    writes it as ``grid.png``, both on rank 0. Where a model is told more than
    classes, a test writes ``conditions.png`` too: generated images with what
    was asked for drawn on, beside and below them.

    Args:
        num_images: Images in the grid.
        show_dir: Where a test writes the grid and every image; None writes
            the grid alone, into the work directory.
    """

    def __init__(
        self, num_images: int = 64, show_dir: str | None = None
    ) -> None:
        check_range(
            f'{type(self).__name__}.num_images', num_images, 0, math.inf
        )
        self.num_images = num_images
        self.show_dir = show_dir
        self.shown: list[tuple] = []
        self.told: list[tuple] = []

    def before_val_epoch(self, runner) -> None:
        """Forget earlier images."""
        self.shown = []

    def before_test_epoch(self, runner) -> None:
        """Forget earlier images."""
        self.shown, self.told = [], []

    def after_val_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Keep the images for the grid."""
        self._keep(runner, _drawn(outputs), runner.val_dataloader.dataset)

    def after_test_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Keep the images for the grid, write them all where asked to."""
        drawn, dataset = _drawn(outputs), runner.test_dataloader.dataset
        self._keep(runner, drawn, dataset)
        self._keep_told(runner, drawn, dataset)
        if self.show_dir is not None:
            for sample in drawn:
                path = Path(self.show_dir) / f'{sample.sample_idx:06d}.png'
                write_image(_array(sample.pred_img), path)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Send the grid to the visualizer."""
        grid = self._grid(runner)
        if grid is not None:
            runner.visualizer.add_image('images', grid, step=runner.iter)

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Write the grid, and what was told."""
        pictures = dict(
            grid=self._grid(runner), conditions=self._sheet(runner)
        )
        for name, picture in pictures.items():
            if picture is not None:
                folder = Path(self.show_dir or runner.work_dir)
                path = folder / f'{name}.png'
                write_image(picture, path)
                runner.logger.info(f'Pictures in {path}')
        barrier()  # nobody leaves before the files are there

    def _keep(self, runner, outputs: Sequence, dataset: Sized) -> None:
        for sample in _spread(outputs, self.num_images, dataset):
            pair = [_array(sample.pred_img)]
            if 'gt_img' in sample:
                pair.insert(0, _array(sample.gt_img))
            told = 'gt_label' in _read_by(runner.model)
            label = sample.label if told else None
            self.shown.append((sample.sample_idx, pair, label))

    def _keep_told(
        self, runner, outputs: Sequence, dataset: BaseDataset
    ) -> None:
        for sample in _spread(outputs, NUM_TOLD, dataset):
            fields = [f for f in _read_by(runner.model) if f in sample]
            if any(is_drawn(f, sample.get(f)) for f in fields):
                told = type(sample)(
                    metainfo=sample.metainfo,
                    **{field: sample.get(field) for field in fields},
                )
                picture = draw_sample(
                    _array(sample.pred_img),
                    told,
                    dataset.metainfo.get('classes'),
                )
                self.told.append((sample.sample_idx, picture))

    def _sheet(self, runner) -> np.ndarray | None:
        """Images with their conditions on rank 0, None on the others."""
        parts = all_gather_object(self.told)
        if runner.rank > 0:
            return None
        told = dict(item for part in parts for item in part)
        ordered = [told[index] for index in sorted(told)]
        return contact_sheet(ordered) if ordered else None

    def _grid(self, runner) -> np.ndarray | None:
        """The grid on rank 0, None on the others."""
        parts = all_gather_object(self.shown)
        if runner.rank > 0:
            return None
        # Ranks may pad their share: the index tells copies apart.
        shown = {index: item for part in parts for index, *item in part}
        ordered = [shown[index] for index in sorted(shown)]
        return sample_grid(*zip(*ordered, strict=True)) if ordered else None


def _spread(outputs: Sequence, number: int, dataset: Sized) -> list:
    """Those that are among ``number`` evenly spread over a dataset."""
    length = len(dataset)
    count = min(number, length)
    wanted = {i * length // count for i in range(count)}
    return [sample for sample in outputs if sample.sample_idx in wanted]


def _read_by(model: nn.Module) -> tuple[str, ...]:
    """Fields of data samples that a model's conditions are made of."""
    if is_model_wrapper(model):
        model = model.module
    conditioner = getattr(model, 'conditioner', None)
    return () if conditioner is None else conditioner.reads


def _drawn(samples: Sequence) -> list:
    """Those with an image that a model made; a classifier makes none."""
    return [sample for sample in samples if 'pred_img' in sample]


def _array(image) -> np.ndarray:
    """uint8 tensor (3, H, W) -> uint8 array (H, W, 3)."""
    return image.permute(1, 2, 0).cpu().numpy()


def write_image(image: np.ndarray, path: Path) -> None:
    """Write a uint8 RGB array (H, W, 3) as PNG; make its directory.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1])):
        raise OSError(f'{path} could not be written: is the disk full?')
