"""Checkpoints of which the newest whole one always stays."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from mmldm.registry import HOOKS
from mmldm.utils import (
    check_choice,
    check_count,
    check_divisible,
    check_range,
)
from mmldm.utils.checkpoint import TEMPORARY_SUFFIX, written_whole
from mmldm.utils.newest_checkpoint import RECORD

from ..optim_wrapper import named_wrappers

KEY = 'default_hooks.checkpoint'
# Arguments of ``CheckpointHook`` that cannot hold here.
REFUSED = dict(
    out_dir='--resume looks into the work directory: set work_dir instead',
    filename_tmpl='--resume looks for iter_*.pth: leave it out',
    backend_args='checkpoints are written on local disks only: leave it out',
)


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
        save_best: Metric, or several, whose best checkpoint is kept besides.
        rule: Whether 'greater' or 'less' is better, for all or for each.
        greater_keys: Metrics of which more is better, where ``rule`` is not
            given; None for mmengine's list.
        less_keys: Metrics of which less is better, likewise.
        save_last: Write one after the last iteration, whatever ``interval``.
        save_begin: Iteration from which ``interval`` counts.
        save_optimizer: Without the optimizer's state no run can be resumed.
        save_param_scheduler: As ``save_optimizer``, of the schedules.
        published_keys: Write a copy of the last and the best checkpoint with
            these keys alone; None for no copy.
        out_dir: None, as ``--resume`` looks into the work directory.
        filename_tmpl: None, as ``--resume`` looks for ``iter_*.pth``.
        backend_args: None, as files are written whole on local disks only.

    Raises:
        ValueError: If an argument is not as said.
    """

    def __init__(
        self,
        interval: int,
        by_epoch: bool = False,
        max_keep_ckpts: int = -1,
        save_best: str | Sequence[str] | None = None,
        rule: str | Sequence[str] | None = None,
        greater_keys: Sequence[str] | None = None,
        less_keys: Sequence[str] | None = None,
        save_last: bool = True,
        save_begin: int = 0,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        published_keys: str | Sequence[str] | None = None,
        out_dir: str | None = None,
        filename_tmpl: str | None = None,
        backend_args: dict | None = None,
    ) -> None:
        check_count(f'{KEY}.interval', interval)
        if max_keep_ckpts != -1:
            check_count(f'{KEY}.max_keep_ckpts', max_keep_ckpts)
        check_range(f'{KEY}.save_begin', save_begin, 0, math.inf)
        for name in [rule] if isinstance(rule, str) else rule or ():
            check_choice(f'{KEY}.rule', name, ('greater', 'less'))
        for name, value in dict(
            out_dir=out_dir,
            filename_tmpl=filename_tmpl,
            backend_args=backend_args,
        ).items():
            if value:
                raise ValueError(f'{KEY}.{name}={value!r}: {REFUSED[name]}')
        super().__init__(
            interval=interval,
            by_epoch=False,
            max_keep_ckpts=max_keep_ckpts,
            save_best=_as_list(save_best),
            rule=_as_list(rule),
            greater_keys=greater_keys,
            less_keys=less_keys,
            save_last=save_last,
            save_begin=save_begin,
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            published_keys=_as_list(published_keys),
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
        intervals = {f'{KEY}.interval': self.interval}
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
        if self.save_best and runner.val_loop is None:
            raise ValueError(
                f'{KEY}.save_best={self.save_best} needs a validation: set '
                'val_dataloader, val_cfg and val_evaluator'
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
                f'{KEY}.by_epoch=True counts epochs, but '
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
        """Save the best, where ``save_best`` asks for it.

        Raises:
            ValueError: If validation gives no such metric.
        """
        for name in self.save_best or ():
            if name != 'auto':
                check_choice(f'{KEY}.save_best', name, metrics or ())
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


def _as_list(names: str | Sequence[str] | None) -> list[str] | None:
    """Names as mmengine asserts them to be: no tuple."""
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)
