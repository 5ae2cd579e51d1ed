"""Checkpoints of which the newest whole one always stays."""

from itertools import product
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from mmldm.registry import HOOKS
from mmldm.utils import check_divisible, check_positive
from mmldm.utils.checkpoint import TEMPORARY_SUFFIX, written_whole
from mmldm.utils.newest_checkpoint import RECORD

from ..optim_wrapper import named_wrappers


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """``CheckpointHook`` by iteration that writes first, then removes.

    mmengine's removes the oldest file before it writes the new one: with
    ``max_keep_ckpts=1`` a full disk leaves nothing. (It still does so with
    the copy that ``save_best`` makes.)

    Args:
        interval: Iterations between checkpoints.
        by_epoch: ``interval`` counts epochs, in epoch-based training. Files
            are named by their iteration in any case.
        max_keep_ckpts: How many to keep; -1 keeps all.
        save_best: Metric whose best checkpoint is kept besides.
        rule: Whether 'greater' or 'less' is better.
    """

    def __init__(
        self,
        interval: int,
        by_epoch: bool = False,
        max_keep_ckpts: int = -1,
        save_best: str | None = None,
        rule: str | None = None,
    ) -> None:
        check_positive('default_hooks.checkpoint.interval', interval)
        super().__init__(
            interval=interval,
            by_epoch=False,
            max_keep_ckpts=max_keep_ckpts,
            save_best=save_best,
            rule=rule,
        )
        self.counts_epochs = by_epoch

    def before_train(self, runner) -> None:
        """As of ``CheckpointHook``.

        Raises:
            ValueError: If checkpoints would fall between two steps of the
                optimizer: gradients gathered so far are in no checkpoint.
                Or if one would hold what it cannot hold.
        """
        super().before_train(runner)
        self._count_iterations(runner.train_loop)
        runner.try_checkpoint()
        self.tried = False
        intervals = {'default_hooks.checkpoint.interval': self.interval}
        if self.save_best:
            intervals['train_cfg.val_interval'] = runner.val_interval * (
                runner.train_loop.epoch_length or 1
            )
        wrappers = named_wrappers(runner.optim_wrapper)
        if len(wrappers) > 1:
            # mmengine ends a group early at the last iteration for one only.
            intervals['train_cfg.max_iters'] = runner.max_iters
        for (name, interval), (key, wrapper) in product(
            intervals.items(), wrappers.items()
        ):
            check_divisible(
                name,
                interval,
                f'{key}.accumulative_counts',
                wrapper._accumulative_counts,
            )
        if is_main_process():
            # What a killed run was writing.
            for path in Path(self.out_dir).glob(f'*.*{TEMPORARY_SUFFIX}'):
                path.unlink(missing_ok=True)

    def _count_iterations(self, loop) -> None:
        """Turn an interval in epochs into one in iterations."""
        if not self.counts_epochs:
            return
        if loop.epoch_length is None:
            raise ValueError(
                'default_hooks.checkpoint.by_epoch=True counts epochs, but '
                'training counts iterations: set by_epoch=False, and interval '
                'in iterations'
            )
        self.interval *= loop.epoch_length
        self.counts_epochs = False

    def after_train_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """As of ``CheckpointHook``; the first time, one is tried before.

        Optimizers have no state before their first step.
        """
        if not self.tried:
            runner.try_checkpoint()
            self.tried = True
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Save the best, where ``save_best`` asks for it."""
        if self.save_best:
            super().after_val_epoch(runner, metrics)

    def _save_checkpoint_with_step(
        self, runner, step: int, meta: dict
    ) -> None:
        keep = list(getattr(self, 'keep_ckpt_ids', []))
        keep = [*(k for k in keep if k != step), step]
        kept = (
            keep if self.max_keep_ckpts < 1 else keep[-self.max_keep_ckpts :]
        )
        self.last_ckpt = str(
            Path(self.out_dir) / self.filename_tmpl.format(step)
        )
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend(kept)
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        runner.save_checkpoint(
            self.out_dir,
            Path(self.last_ckpt).name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
        )
        if is_main_process():
            # Before others go: it names a file that is there at any moment.
            self._write_record(Path(runner.work_dir) / RECORD)
            for old in set(keep) - set(kept):
                path = Path(self.out_dir) / self.filename_tmpl.format(old)
                path.unlink(missing_ok=True)

    def _write_record(self, path: Path) -> None:
        try:
            with written_whole(path) as file:
                file.write(self.last_ckpt.encode())
        except OSError as error:
            raise OSError(
                f'{path} could not be written ({error.strerror}): free some '
                f'space and --resume; {self.last_ckpt} is whole'
            ) from error
