"""Writing of checkpoints such that a complete one always remains."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
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
from mmldm.utils.newest_checkpoint import RECORD
from mmldm.utils.whole_files import TEMPORARY_SUFFIX, written_whole

from ..checkpoint_files import begin_writing
from ..optim_wrapper import named_wrappers

KEY = 'default_hooks.checkpoint'
# Arguments of ``CheckpointHook`` that are not available here.
REFUSED = dict(
    out_dir='--resume searches the work directory: set work_dir instead',
    filename_tmpl='--resume searches iter_*.pth: remove it',
    backend_args='checkpoints are written to local disks only: remove it',
)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """``CheckpointHook`` by iteration that writes first and then removes.

    mmengine's hook removes the oldest file before it writes the new one: with
    ``max_keep_ckpts=1``, a full disk leaves no checkpoint. (For the copy that
    ``save_best`` makes, this is still the case.)

    The training goes on while a copy of its state is written, for which the
    CPU needs as much memory as the file has bytes. If the writing fails, the
    training stops after the iteration in which that is known.

    Args:
        interval: Iterations between checkpoints.
        by_epoch: ``interval`` counts epochs, in epoch-based training. Files
            are always named by their iteration.
        max_keep_ckpts: Number of checkpoints to keep; -1 keeps all.
        save_best: Metric, or metrics, whose best checkpoint is kept too.
        rule: 'greater' or 'less' is better; one for all metrics, or one for
            each.
        greater_keys: Metrics for which greater is better, if ``rule`` is not
            given; None for mmengine's list.
        less_keys: Metrics for which less is better, if ``rule`` is not
            given; None for mmengine's list.
        save_last: Also write a checkpoint after the last iteration.
        save_begin: Iteration from which ``interval`` counts.
        save_optimizer: Include the optimizers' state, which resuming needs.
        save_param_scheduler: Include the schedules' state, which resuming
            needs.
        published_keys: Also write a copy of the last and the best checkpoint
            with only these keys; None writes no copy.
        out_dir: Must be None: ``--resume`` searches the work directory.
        filename_tmpl: Must be None: ``--resume`` searches ``iter_*.pth``.
        backend_args: Must be None: files are written to local disks only.

    Raises:
        ValueError: If an argument is invalid.
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
        _check_counts(interval, max_keep_ckpts, save_begin)
        for name in _as_list(rule) or ():
            check_choice(f'{KEY}.rule', name, ('greater', 'less'))
        refused = (out_dir, filename_tmpl, backend_args)
        _refuse(dict(zip(REFUSED, refused, strict=True)))
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
        """Check the intervals, and remove what a killed run was writing.

        Raises:
            ValueError: If a checkpoint would fall between two steps of an
                optimizer (it cannot hold accumulated gradients), or would
                hold a value that it cannot hold.
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
            # At the last iteration, mmengine ends accumulation early for a
            # single optimizer only.
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
        """See ``CheckpointHook``; the first call tries a checkpoint before.

        Only now, after their first step, optimizers have a state.
        """
        runner.checkpoint_writer.check()
        if not self.tried:
            runner.try_checkpoint()
            self.tried = True
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Save the best checkpoint if ``save_best`` is set.

        Raises:
            ValueError: If validation does not give this metric.
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
        begin_writing(
            runner,
            Path(self.last_ckpt),
            self.save_optimizer,
            self.save_param_scheduler,
            meta,
            then=partial(
                _note_and_remove,
                Path(runner.work_dir) / RECORD,
                self.last_ckpt,
                [
                    Path(self.out_dir) / self.filename_tmpl.format(old)
                    for old in set(keep) - set(kept)
                ],
            ),
        )

    def after_train(self, runner) -> None:
        """See ``CheckpointHook``; the last checkpoint is complete then."""
        runner.checkpoint_writer.finish()
        super().after_train(runner)


def _note_and_remove(record: Path, newest: str, old: list[Path]) -> None:
    """Note the newest checkpoint, and remove others.

    The note is written before: it always names an existing file.
    """
    try:
        with written_whole(record) as file:
            file.write(newest.encode())
    except OSError as error:
        raise OSError(
            f'{record} could not be written ({error.strerror}): free disk '
            f'space and --resume; {newest} is complete'
        ) from error
    for path in old:
        path.unlink(missing_ok=True)


def _as_list(names: str | Sequence[str] | None) -> list[str] | None:
    """Names as a list, as mmengine asserts; it refuses tuples."""
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def _check_counts(interval: int, max_keep_ckpts: int, save_begin: int) -> None:
    check_count(f'{KEY}.interval', interval)
    if max_keep_ckpts != -1:
        check_count(f'{KEY}.max_keep_ckpts', max_keep_ckpts)
    check_range(f'{KEY}.save_begin', save_begin, 0, math.inf)


def _refuse(arguments: Mapping[str, object]) -> None:
    """Raise if an argument that is not available here is given."""
    for name, value in arguments.items():
        if value:
            raise ValueError(f'{KEY}.{name}={value!r}: {REFUSED[name]}')
