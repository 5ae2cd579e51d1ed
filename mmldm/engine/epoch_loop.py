"""A training loop that counts epochs, with exact resume."""

from torch.utils.data import DataLoader

from mmldm.registry import LOOPS
from mmldm.utils import check_count
from mmldm.utils.typing import ConfigType

from .loops import AddressedTrainLoop


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
