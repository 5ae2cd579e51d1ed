"""Training loops whose data is a function of the iteration."""

import math
from functools import partial
from typing import Any

from mmengine.dist import all_reduce_dict, get_world_size
from mmengine.hooks import LoggerHook
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from mmldm.models.editors.editor import Editor
from mmldm.registry import LOOPS
from mmldm.utils import check_count
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
from .late_values import LateValues
from .optim_wrapper import gradient_norms
from .prefetching import on_device
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
        say_small_sizes(self.dataloader.dataset, self.global_batch_size)
        self._check_log(runner)
        self.max_iters = max_iters
        self.max_epochs = 1  # the Runner counts all iterations as one
        self._epoch = 0
        self._iter = 0
        # Iteration, and samples before it, since which the batch size holds.
        self._origin = 0, 0
        self.val_interval = val_interval
        self.stop_training = False  # set by EarlyStoppingHook
        self.late = LateValues()

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
        counts = getattr(self.dataloader.dataset, 'size_counts', None)
        return None if counts is None else counts()

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
        self.runner.call_hook('before_train')
        self._repeat_validation()
        self.dataloader.sampler.start = self.samples_before(self._iter)
        self.runner.model.train()
        self.runner.call_hook('before_train_epoch')
        # Made after the start is set, so that workers begin there.
        batches = on_device(self.dataloader, self.runner.bare_model)
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
        if isinstance(self.runner.bare_model, Editor):
            batch = {**batch, 'iteration': self._iter}
        outputs = self.runner.model.train_step(
            batch, optim_wrapper=self.runner.optim_wrapper
        )
        # The log shows the loss of the global batch, not only rank 0's.
        all_reduce_dict(outputs, 'mean')
        self._log_late(outputs, batch)
        self.runner.call_hook('after_train_iter', **position, outputs=outputs)
        if self._log_due(position['batch_idx'] + 1):
            self.late.start()
        self._iter += 1

    def _log_due(self, batch_index: int) -> bool:
        """Whether a line of the log follows the batch of an index."""
        return any(
            (batch_index + 1) % hook.interval == 0
            for hook in self.runner.hooks
            if isinstance(hook, LoggerHook)
        )

    def _log_late(self, outputs: dict, batch: dict) -> None:
        """Log and check the values of this iteration, on a GPU later."""
        for norm in gradient_norms(self.runner.optim_wrapper):
            self.late.add(dict(grad_norm=norm), self._log)
        check = partial(self._check_finite, self._iter + 1, images_of(batch))
        self.late.add(outputs, check)
        if self._log_due(self._batch_index()):
            self.late.read()

    def _check_finite(
        self, iteration: int, images: str, values: dict[str, float]
    ) -> None:
        """Log the values of an iteration, or raise if one is not finite.

        Checkpoints read all values before anything is stored.
        """
        if not all(map(math.isfinite, values.values())):
            terms = ', '.join(f'{k}={v:.4g}' for k, v in values.items())
            raise FloatingPointError(
                f'the loss of iteration {iteration} is not finite '
                f'({terms}){images}: {self.runner.advice()}'
            )
        self._log(values)

    def _log(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.runner.message_hub.update_scalar(f'train/{name}', value)

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


@LOOPS.register_module()
class AddressedEpochTrainLoop(AddressedTrainLoop):
    """Epoch-based training with exact resume; see :class:`AddressedTrainLoop`.

    The number of iterations in an epoch is rounded up: the first images of
    the next epoch fill the last batch, so that all batches have one size.

    Args:
        runner: The runner.
        dataloader: Data loader with an ``AddressedSampler``.
        max_epochs: Total number of epochs.
        val_interval: Epochs between validations.

    Raises:
        ValueError: See :class:`AddressedTrainLoop`.
    """

    def __init__(
        self,
        runner,
        dataloader: DataLoader | ConfigType,
        max_epochs: int,
        val_interval: int = 1,
    ) -> None:
        check_count('train_cfg.max_epochs', max_epochs)
        super().__init__(runner, dataloader, 1, val_interval)
        self.max_epochs = max_epochs
        self.max_iters = max_epochs * self.epoch_length

    @property
    def epoch_length(self) -> int:
        """Iterations in an epoch."""
        return len(self.dataloader)

    def resume_at(self, iteration: int, num_samples: int) -> None:
        """See :class:`AddressedTrainLoop`; sets the epoch too."""
        super().resume_at(iteration, num_samples)
        self._epoch = iteration // self.epoch_length

    def _batch_index(self) -> int:
        return self._iter % self.epoch_length

    def _after_iter(self) -> None:
        if self._iter % self.epoch_length:
            return
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._maybe_validate()
        if self._iter < self.max_iters and not self.stop_training:
            self.runner.call_hook('before_train_epoch')

    def _finish(self) -> None:
        """Do nothing: the last epoch has ended already."""

    def _validation_due(self) -> bool:
        epochs, within = divmod(self._iter, self.epoch_length)
        return within == 0 and (
            epochs % self.val_interval == 0 or epochs == self.max_epochs
        )
