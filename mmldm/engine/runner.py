"""mmengine's Runner with exact resume, safe files and processes on CPUs."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from mmengine.device import get_device
from mmengine.dist import master_only
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, _ParamScheduler
from mmengine.runner import BaseLoop, Runner

from mmldm.compat import (
    check_gpu_count,
    die_with_launcher,
    init_cpu_process_group,
)
from mmldm.registry import RUNNERS
from mmldm.utils import check_positive
from mmldm.utils.memory import keep_freed_memory

from .batch_sizes import note_base_rates, scale_rates, share_batch
from .cached_training import read_from_cache
from .checkpoint_choice import choose_checkpoint
from .checkpoint_content import advice_after_nan, content
from .checkpoint_files import read_into, write_from
from .checkpoint_state import plain
from .checkpoint_writer import CheckpointWriter
from .fused_optimizers import fused
from .loop_choice import addressed_loop, generation_loop
from .model_wrapping import fitted_to_shards, wrapped
from .prefetching import pin_batches
from .required_hooks import check_required_hooks
from .resume import resume_training
from .scheduler_checks import (
    check_end,
    check_scaled,
    check_steps,
    with_iterations,
)
from .screen import quiet_screen
from .sharded_model import ShardedModel
from .work_dir import (
    check_writable,
    claimed,
    collecting_in,
    running_training,
)

# Hooks that mmengine's Runner adds, unless they are None.
STANDARD_HOOKS = {
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler'),
    'checkpoint',
}


@RUNNERS.register_module()
class LDMRunner(Runner):
    """The runner of ``runner_type='mmldm.LDMRunner'``.

    It differs from mmengine's Runner where that one fails today (see
    ``compat.py``), or where a resumed run would differ from an uninterrupted
    one. ``train_dataloader.global_batch_size``, which replaces ``batch_size``,
    is shared by all processes.
    """

    def __init__(self, model, work_dir: str, *args, **kwargs) -> None:
        check_writable(work_dir)
        super().__init__(model, work_dir, *args, **kwargs)
        self.checkpoint_writer = CheckpointWriter(self.logger)
        if self._randomness_cfg.get('diff_rank_seed'):
            raise ValueError(
                'randomness.diff_rank_seed=True is not available: remove it; '
                'noise differs by sample and thus by rank in any case'
            )
        if get_device() == 'cpu':
            keep_freed_memory()

    @property
    def bare_model(self) -> torch.nn.Module:
        """The model without its distributed wrapper."""
        return (
            self.model.module if is_model_wrapper(self.model) else self.model
        )

    @property
    def is_sharded(self) -> bool:
        """Whether processes hold parts of the model."""
        return isinstance(self.model, ShardedModel)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """See ``Runner``; the log file receives more than the screen."""
        return quiet_screen(super().build_logger(*args, **kwargs))

    def setup_env(self, env_cfg: dict) -> None:
        """See ``Runner``; without a GPU, processes use gloo.

        Raises:
            ValueError: If there are more processes than GPUs, or
                ``env_cfg.dist_cfg.timeout`` is not positive.
        """
        if self.distributed:
            timeout = env_cfg.get('dist_cfg', {}).get('timeout')
            if timeout is not None:
                check_positive('env_cfg.dist_cfg.timeout', timeout)
            check_gpu_count()
            die_with_launcher()
            init_cpu_process_group(timeout)
        super().setup_env(env_cfg)

    def wrap_model(
        self, wrapper: dict | None, model: torch.nn.Module
    ) -> torch.nn.Module:
        """See ``Runner``, and ``model_wrapping.py`` for what differs."""
        own = wrapped(self, wrapper, model)
        return super().wrap_model(wrapper, model) if own is None else own

    def train(self) -> torch.nn.Module:
        """See ``Runner``; claims the work directory for this training.

        Raises:
            ValueError: If another training uses the work directory, or a
                required hook is missing.
        """
        check_required_hooks(self)
        with claimed(self.work_dir, self.logger), self.checkpoint_writer:
            return super().train()

    @master_only
    def dump_config(self) -> None:
        """See ``Runner``; not while a training uses the work directory."""
        owner = running_training(self.work_dir)
        if owner is None:
            return super().dump_config()
        self.logger.info(
            f'The config is not written to {self.work_dir}, where a training '
            f'is running ({owner})'
        )

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """See ``Runner``; None removes any hook by its name."""
        given = (hooks or {}).items()
        kept = {k: v for k, v in given if v is not None or k in STANDARD_HOOKS}
        kept.setdefault('runtime_info', dict(type='mmldm.TrainingInfoHook'))
        super().register_default_hooks(kept)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """See ``Runner``; the loop must resume exactly.

        The training's batch is shared only here: a test may have any number
        of processes.

        Raises:
            ValueError: If the loop cannot, or the global batch is no multiple
                of the number of processes; names the remedy.
        """
        if isinstance(self._train_dataloader, dict):
            share_batch(self._train_dataloader, self.world_size)
            read_from_cache(self._train_dataloader, self.cfg)
            pin_batches(self._train_dataloader)
        return super().build_train_loop(addressed_loop(loop))

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """See ``Runner``; images are generated by a ``GenerationLoop``."""
        return super().build_test_loop(generation_loop(loop, self.bare_model))

    def build_evaluator(self, evaluator) -> Evaluator:
        """See ``Runner``; metrics exchange files in the work directory."""
        return collecting_in(self.work_dir, super().build_evaluator(evaluator))

    def build_optim_wrapper(self, optim_wrapper) -> OptimWrapper:
        """See ``Runner``; optimizers are fused, and know sharded weights."""
        built = fused(super().build_optim_wrapper(optim_wrapper))
        return fitted_to_shards(built) if self.is_sharded else built

    def _init_model_weights(self) -> None:
        """See ``Runner``; a ``ShardedModel`` has done this."""
        if not self.is_sharded:
            super()._init_model_weights()

    def _maybe_compile(self, target: str) -> None:
        """See ``Runner``; compiles networks, not the step ``target``."""
        given = self.cfg.get('compile')
        if given is not None and given is not False:
            options = {} if given is True else given
            self.bare_model.compile_parts(**options)

    def load_or_resume(self) -> None:
        """See ``Runner``; resumes from the newest complete checkpoint.

        Raises:
            ValueError: If the processes find different files.
        """
        self._resume, self._load_from = choose_checkpoint(
            self.work_dir, self._resume, self._load_from, self.logger
        )
        super().load_or_resume()

    def load_checkpoint(
        self, filename: str, map_location='cpu', **kwargs
    ) -> Mapping:
        """Read safely and load strictly; other arguments are ignored.

        Raises:
            FileNotFoundError, ValueError: See ``utils/checkpoint.py``.
        """
        checkpoint = read_into(self, filename, map_location)
        self._has_loaded = True
        self.logger.info(f'Loaded {filename}')
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location='cpu',
    ) -> None:
        """Resume from a checkpoint, and log changes of the config.

        It is read on the CPU, where histories and Adam's step counts belong.
        All arguments except the first are ignored.

        Raises:
            ValueError: See ``resume/training.py``.
        """
        checkpoint = self.load_checkpoint(filename)
        resume_training(self, checkpoint, filename)
        self.logger.info(f'Resumed at iteration {self.iter}')

    def scale_lr(
        self, optim_wrapper: OptimWrapper, auto_scale_lr: dict | None = None
    ) -> None:
        """Scale learning rates by the images in a step of each optimizer."""
        if auto_scale_lr and auto_scale_lr.get('enable'):
            scale_rates(
                optim_wrapper,
                self.train_loop.global_batch_size,
                auto_scale_lr['base_batch_size'],
                self.logger,
            )
        note_base_rates(optim_wrapper)

    def _build_param_scheduler(
        self, scheduler: dict | list, optim_wrapper: OptimWrapper
    ) -> list[_ParamScheduler]:
        """See ``Runner``; refuses schedules without the stated effect."""
        configs = with_iterations(scheduler, self.train_loop)
        build = partial(super()._build_param_scheduler, configs)
        schedulers = build(optim_wrapper)
        check_steps(schedulers, self.max_iters)
        check_scaled(schedulers, self.auto_scale_lr)
        groups = optim_wrapper.param_groups
        check_end(schedulers, groups, build, self.max_iters)
        return schedulers

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = False,
        backend_args: dict | None = None,
    ) -> None:
        """Write a checkpoint of plain values, whole or not at all.

        All processes must call this, see ``checkpoint_files.py``.

        Args:
            out_dir: Folder of the checkpoint.
            filename: Name of the checkpoint in the folder.
            file_client_args, by_epoch, backend_args: Not used.
            save_optimizer: Include the optimizer's state.
            save_param_scheduler: Include the schedules' state.
            meta: Additional meta information.

        Raises:
            OSError, FloatingPointError: See ``checkpoint_files.py``.
        """
        args = save_optimizer, save_param_scheduler, meta
        write_from(self, Path(out_dir) / filename, *args)

    @master_only
    def try_checkpoint(self) -> None:
        """Check whether a checkpoint could be written now.

        Raises:
            ValueError: If a value cannot be stored; names its key.
        """
        plain(content(self), copy_tensors=False)

    def advice(self) -> str:
        """The remedy for numbers that are not finite."""
        return advice_after_nan(self)
