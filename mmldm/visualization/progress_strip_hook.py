"""The same samples over a training, in one picture."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook

from mmldm.registry import HOOKS
from mmldm.utils import check_count, check_range
from mmldm.utils.pixels import bicubic

from .conditions import condition_tile
from .grid import spread_over_classes
from .progress_strip import ProgressStrip, as_tile, read_strip
from .shown_samples import (
    as_array,
    generated,
    labels_read,
    read_by,
    those,
    with_fields,
)

NAME = 'progress.png'


@HOOKS.register_module()
class ProgressStripHook(Hook):
    """Writes ``progress.png``: requests as rows, validations as columns.

    The requests are those of the validation, with the same noise and the same
    conditions each time; of a first stage, they are images with their
    reconstructions. A resumed training continues the picture.

    Args:
        num_requests: Number of rows.
        num_columns: Largest number of columns. If there are more, some are
            left out, so that the others are at about equal distances.
    """

    def __init__(self, num_requests: int = 8, num_columns: int = 12) -> None:
        name = type(self).__name__
        check_count(f'{name}.num_requests', num_requests)
        check_range(f'{name}.num_columns', num_columns, 2, 100)
        self.num_requests = num_requests
        self.num_columns = num_columns
        self.strip: ProgressStrip | None = None
        self.training = False
        self.chosen: set[int] | None = None
        self.shown: list[tuple] = []

    def before_train(self, runner) -> None:
        """Read the picture of a training that is resumed."""
        self.training = True
        if runner.rank == 0 and runner.iter > 0:
            self.strip = read_strip(Path(runner.work_dir, NAME), runner.iter)

    def after_train(self, runner) -> None:
        """End the picture: a later validation is none of the training."""
        self.training = False

    def before_val_epoch(self, runner) -> None:
        """Forget the images of earlier validations."""
        self.shown = []

    def after_val_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Keep the images of the rows."""
        if not self.training:
            return
        dataset, fields = runner.val_dataloader.dataset, read_by(runner.model)
        if self.chosen is None:
            labels = labels_read(runner.model, dataset)
            self.chosen = spread_over_classes(labels, self.num_requests)
        classes = getattr(dataset, 'metainfo', {}).get('classes')
        for sample in those(generated(outputs or ()), self.chosen):
            tile, given = as_tile(as_array(sample.pred_img)), None
            told = [f for f in ('gt_img', *fields) if f in sample]
            if told:
                given = condition_tile(
                    with_fields(sample, told), classes, tile.shape[:2]
                )
            self.shown.append((sample.sample_idx, tile, given))

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Add a column."""
        if not self.training:
            return
        parts = all_gather_object(self.shown)
        # Ranks may pad their share with copies, which have the same index.
        shown = {index: item for part in parts for index, *item in part}
        if runner.rank == 0 and shown:
            tiles, given = zip(*(shown[i] for i in sorted(shown)), strict=True)
            self._add(runner, [*tiles], [g for g in given if g is not None])

    def _add(self, runner, tiles: list, given: list) -> None:
        """Add a column to the picture, and write it."""
        shape = tiles[0].shape[:2]  # images may have several sizes
        tiles, given = (
            [bicubic(tile, *shape) for tile in some] for some in (tiles, given)
        )
        column = ProgressStrip(given, {runner.iter: tiles})
        path = Path(runner.work_dir, NAME)
        if self.strip is None:
            runner.logger.info(f'Samples of every validation in {path}')
            self.strip = ProgressStrip(given)
        elif not self.strip.continues(column):
            runner.logger.info(f'{path} has other samples: it begins anew')
            self.strip = ProgressStrip(given)
        self.strip = self.strip.add(runner.iter, tiles, self.num_columns)
        try:
            self.strip.write(path)
        except OSError as error:
            runner.logger.warning(
                f'{path} could not be written ({error}): free disk space; '
                'training goes on'
            )
