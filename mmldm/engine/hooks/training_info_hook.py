"""Facts of a training for its log."""

from mmengine.hooks import RuntimeInfoHook

from mmldm.registry import HOOKS


@HOOKS.register_module()
class TrainingInfoHook(RuntimeInfoHook):
    """``RuntimeInfoHook`` that leaves losses to the training loop.

    mmengine's reads each of them in each iteration, and the CPU waits for the
    GPU each time. The runner puts this hook in its place.
    """

    def after_train_iter(
        self, runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Do nothing; see ``LateValues``."""
