"""Training loops whose data is a function of the iteration."""

from typing import Any

from mmengine.dist import all_reduce_dict, get_world_size
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from mmldm.models.editors.editor import Editor
from mmldm.registry import LOOPS
from mmldm.utils import check_count
from mmldm.utils.several_sizes import sizes_of
from mmldm.utils.typing import ConfigType

from .batch_names import images_of
from .cached_training import CachedTraining
from .data_checks import (
    check_classes,
    check_image_size,
    count_cut_captions,
    say_small_sizes,
)
from .frozen_parts import check_frozen_parts
from .late_log import LateLog
from .prefetching import Upload
from .resume.schedules import plateaus


@LOOPS.register_module()
class AddressedTrainLoop(BaseLoop):
    """Iteration-based training that resumes without replaying data.

    On resume, mmengine's ``IterBasedTrainLoop`` reads and discards all earlier
    batches; here the sampler starts at the right iteration.

    Args:
        runner: The runner.
        dataloader: Data loader with an ``AddressedSampler``.
        max_iters: Total number of iterations.
        val_interval: Iterations between validations.

    Raises:
        ValueError: If training could not be resumed exactly, or the data has
            classes that the model lacks.
    """

    def __init__(
        self,
        runner,
        dataloader: DataLoader | ConfigType,
        max_iters: int,
        val_interval: int = 1000,
    ) -> None:
        check_count('train_cfg.max_iters', max_iters)
        check_count('train_cfg.val_interval', val_interval)
        super().__init__(runner, dataloader)
        if not hasattr(self.dataloader.sampler, 'start'):
            raise ValueError(
                'train_dataloader.sampler is a '
                f'{type(self.dataloader.sampler).__name__}, which cannot '
                "resume exactly: set sampler=dict(type='AddressedSampler')"
            )
        if not getattr(self.dataloader.dataset, 'addressed', False):
            runner.logger.warning(
                f'{type(self.dataloader.dataset).__name__} does not seed its '
                'augmentations, so that a resumed run does not repeat them: '
                'derive from AddressedDataset'
            )
        check_classes(self.dataloader.dataset, runner.bare_model)
        check_image_size(self.dataloader.dataset, runner.bare_model)
        count_cut_captions(self.dataloader.dataset, runner.bare_model)
        self.dataloader.sampler.batch_size = self.global_batch_size
        say_small_sizes(self.size_counts, self.global_batch_size)
        self._check_log(runner)
        self.max_iters = max_iters
        self.max_epochs = 1  # the Runner counts all iterations as one
        self._epoch = 0
        self._iter = 0
        # Iteration, and samples before it, since which the batch size holds.
        self._origin = 0, 0
        self.val_interval = val_interval
        self.stop_training = False  # set by EarlyStoppingHook
        self.late = LateLog(runner)

    def _check_log(self, runner) -> None:
        """Refuse a log by epoch; it would show iteration 270 of 2."""
        if self.epoch_length is None and runner.log_processor.by_epoch:
            raise ValueError(
                'log_processor.by_epoch=True, which is the default, counts '
                'epochs, but training counts iterations: set '
                'log_processor=dict(by_epoch=False)'
            )

    @property
    def iter(self) -> int:
        """Number of completed iterations."""
        return self._iter

    @property
    def epoch(self) -> int:
        """Number of completed epochs; 0 if epochs are not counted."""
        return self._epoch

    @property
    def epoch_length(self) -> int | None:
        """Iterations in an epoch; None if epochs are not counted."""
        return None

    @property
    def global_batch_size(self) -> int:
        """Images in one iteration, of all processes."""
        return self.dataloader.batch_size * get_world_size()

    @property
    def size_counts(self) -> list[tuple[int, int, int]] | None:
        """Height, width and number of images of each size.

        None if all images have one size.
        """
        return sizes_of(self.dataloader.dataset).size_counts()

    def samples_before(self, iteration: int) -> int:
        """Number of images in all earlier iterations."""
        since, samples = self._origin
        return samples + (iteration - since) * self.global_batch_size

    def sample_counts(self) -> dict[str, Any]:
        """Facts about the data for a checkpoint after this iteration."""
        return dict(
            num_samples=self.samples_before(self._iter + 1),
            global_batch_size=self.global_batch_size,
            dataset_size=len(self.dataloader.dataset),
            size_counts=self.size_counts,
            epoch_length=self.epoch_length,
        )

    def resume_at(self, iteration: int, num_samples: int) -> None:
        """Continue after a number of iterations and images.

        The order of images continues after them, whatever the batch size.
        """
        self._iter = iteration
        self._origin = iteration, num_samples

    def run(self):
        """Train up to ``max_iters``; return the model."""
        if not self.runner._has_loaded:
            check_frozen_parts(self.runner.bare_model)
        dataset, model = self.dataloader.dataset, self.runner.bare_model
        self._cached = CachedTraining(dataset, model)
        self._cached.release()
        self._upload = Upload(model)
        self.runner.call_hook('before_train')
        self._repeat_validation()
        self.dataloader.sampler.start = self.samples_before(self._iter)
        self.runner.model.train()
        self.runner.call_hook('before_train_epoch')
        # Made after the start is set, so that workers begin there.
        batches = iter(self.dataloader)
        while self._iter < self.max_iters and not self.stop_training:
            self._train_iter(next(batches))
            self._after_iter()
        self.late.read_all()
        self._finish()
        self.runner.call_hook('after_train')
        self._cached.restore()
        return self.runner.model

    def _repeat_validation(self) -> None:
        """Repeat the validation after the checkpoint's iteration.

        The checkpoint was written before the validation, whose metrics
        schedules and best checkpoints may follow.
        """
        schedulers = self.runner.param_schedulers or []
        if isinstance(schedulers, dict):
            schedulers = [s for part in schedulers.values() for s in part]
        follows = plateaus(schedulers) or any(
            getattr(hook, 'save_best', None) for hook in self.runner.hooks
        )
        if follows and 0 < self._iter < self.max_iters:
            self._maybe_validate()

    def _train_iter(self, batch: dict) -> None:
        position = dict(batch_idx=self._batch_index(), data_batch=batch)
        self.runner.call_hook('before_train_iter', **position)
        # Hooks have the images on the CPU.
        batch = self._upload(batch)
        if isinstance(self.runner.bare_model, Editor):
            batch = {**batch, 'iteration': self._iter}
        outputs = self.runner.model.train_step(
            batch, optim_wrapper=self.runner.optim_wrapper
        )
        # The log shows the loss of the global batch, not only rank 0's.
        all_reduce_dict(outputs, 'mean')
        index = self._batch_index()
        self.late.record(self._iter + 1, outputs, images_of(batch))
        if self.late.is_due(index):
            self.late.read()
        self.runner.call_hook('after_train_iter', **position, outputs=outputs)
        if self.late.is_due(index + 1):
            self.late.start()
        self._iter += 1

    def _batch_index(self) -> int:
        """Index of the batch, as mmengine's hooks count it."""
        return self._iter

    def _after_iter(self) -> None:
        self._maybe_validate()

    def _finish(self) -> None:
        self.runner.call_hook('after_train_epoch')

    def _validation_due(self) -> bool:
        return (
            self._iter % self.val_interval == 0 or self._iter == self.max_iters
        )

    def _maybe_validate(self) -> None:
        if self.runner.val_loop is not None and self._validation_due():
            self.runner.val_loop.run()
            self._cached.release()
            self.runner.model.train()
