"""mmengine's Runner with exact resume, safe files and CPU processes."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from mmengine.device import get_device
from mmengine.dist import all_gather_object, master_only
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.optim import OptimWrapper, _ParamScheduler
from mmengine.runner import BaseLoop, Runner

from mmldm.compat import (
    check_gpu_count,
    die_with_launcher,
    init_cpu_process_group,
)
from mmldm.registry import RUNNERS
from mmldm.utils import check_positive
from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    weights_of,
    write_checkpoint,
)
from mmldm.utils.distributed import broadcast_state
from mmldm.utils.memory import keep_freed_memory
from mmldm.utils.newest_checkpoint import (
    checkpoints,
    is_cut_off,
    newest_checkpoint,
)

from .batch_sizes import note_base_rates, scale_rates, share_batch
from .checkpoint_content import check_finite, content
from .checkpoint_state import hub_state_for_loading, plain
from .loop_choice import addressed_loop
from .required_hooks import check_required_hooks
from .resume import architecture_differences, resume_training
from .scheduler_checks import (
    check_end,
    check_scaled,
    check_steps,
    with_iterations,
)
from .screen import quiet_screen
from .work_dir import check_writable, claimed, running_training

# Those that mmengine's Runner adds, and leaves out where they are None.
STANDARD_HOOKS = {
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
}


@RUNNERS.register_module()
class LDMRunner(Runner):
    """What ``runner_type='mmldm.LDMRunner'`` builds.

    Differs from mmengine's Runner where that one fails today (see
    ``compat.py``) or where a resumed run would not equal an uninterrupted
    one. ``train_dataloader.global_batch_size``, in the stead of
    ``batch_size``, is shared by however many processes there are.
    """

    def __init__(self, model, work_dir: str, *args, **kwargs) -> None:
        check_writable(work_dir)
        super().__init__(model, work_dir, *args, **kwargs)
        if self._randomness_cfg.get('diff_rank_seed'):
            raise ValueError(
                'randomness.diff_rank_seed=True makes one order of the data '
                'impossible: leave it out; what is drawn differs by sample, '
                'hence by rank, in any case'
            )
        if isinstance(self._train_dataloader, dict):
            share_batch(self._train_dataloader, self.world_size)
        if get_device() == 'cpu':
            keep_freed_memory()

    @property
    def bare_model(self) -> torch.nn.Module:
        """The model without its distributed wrapper."""
        return (
            self.model.module if is_model_wrapper(self.model) else self.model
        )

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """As of ``Runner``; the log file has more than the screen."""
        return quiet_screen(super().build_logger(*args, **kwargs))

    def setup_env(self, env_cfg: dict) -> None:
        """As of ``Runner``; gloo processes where there is no GPU.

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
        self, model_wrapper_cfg: dict | None, model: torch.nn.Module
    ) -> torch.nn.Module:
        """As of ``Runner``; no ``device_ids`` where there is no GPU.

        A model that ``averages_gradients`` itself stays unwrapped.
        """
        if self.distributed and getattr(model, 'averages_gradients', False):
            if model_wrapper_cfg is not None:
                raise ValueError(
                    f'model_wrapper_cfg is not for {type(model).__name__}, '
                    'which averages its gradients itself: remove it'
                )
            model = model.to(get_device())
            broadcast_state(model)
            return model
        if (
            not self.distributed
            or torch.cuda.is_available()
            or model_wrapper_cfg is not None
        ):
            return super().wrap_model(model_wrapper_cfg, model)
        return MMDistributedDataParallel(
            module=model,
            broadcast_buffers=False,
            find_unused_parameters=self.cfg.get(
                'find_unused_parameters', False
            ),
        )

    def train(self) -> torch.nn.Module:
        """As of ``Runner``, in a work directory of its own.

        Raises:
            ValueError: If another training runs in it, or a hook is missing
                that the training needs.
        """
        check_required_hooks(self)
        with claimed(self.work_dir, self.logger):
            return super().train()

    @master_only
    def dump_config(self) -> None:
        """As of ``Runner``, but not beside a training that is running."""
        owner = running_training(self.work_dir)
        if owner is None:
            super().dump_config()
        else:
            self.logger.info(
                f'The config is not written into {self.work_dir}, where a '
                f'training is running ({owner})'
            )

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """As of ``Runner``; any hook is left out by its name and None."""
        super().register_default_hooks(
            {
                name: hook
                for name, hook in (hooks or {}).items()
                if hook is not None or name in STANDARD_HOOKS
            }
        )

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """As of ``Runner``; of those that resume exactly.

        Raises:
            ValueError: For another loop; the remedy is named.
        """
        return super().build_train_loop(addressed_loop(loop))

    def load_or_resume(self) -> None:
        """As of ``Runner``; resumes from the newest whole checkpoint.

        Raises:
            ValueError: If the processes do not see the same file.
        """
        if self._resume and self._load_from is None:
            newest = newest_checkpoint(self.work_dir)
            self._resume = newest is not None
            self._load_from = newest and str(newest)
            if newest is None:
                self.logger.info(
                    f'Nothing to resume in {self.work_dir}: '
                    'training starts from the beginning'
                )
        plans = all_gather_object((self._resume, self._load_from))
        if len(set(plans)) > 1:
            raise ValueError(
                f'the processes find different checkpoints to load, {plans}: '
                'put --work-dir on a disk that all machines share'
            )
        super().load_or_resume()

    def load_checkpoint(
        self, filename: str, map_location='cpu', **kwargs
    ) -> Mapping:
        """Read safely, load strictly; the arguments but these are ignored.

        Raises:
            FileNotFoundError, ValueError: See ``utils/checkpoint.py``.
        """
        checkpoint = read_checkpoint(filename, map_location)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        if self._resume:
            # An average stands in their place, whether or not one is kept.
            raw = checkpoint.get('raw_state_dict', {})
            checkpoint.get('state_dict', {}).update(raw)
        try:
            load_weights(self.bare_model, weights_of(checkpoint), filename)
        except ValueError as error:
            keys = architecture_differences(self.cfg.to_dict(), checkpoint)
            raise ValueError(f'{error}{keys}') from error
        if 'message_hub' in checkpoint:
            checkpoint['message_hub'] = hub_state_for_loading(
                checkpoint['message_hub']
            )
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
        """Go on from a checkpoint; what has changed since is listed.

        Read on the CPU, where histories and Adam's step counts belong; the
        arguments but the first are ignored.

        Raises:
            ValueError: See ``resume/training.py``.
        """
        checkpoint = self.load_checkpoint(filename)
        resume_training(self, checkpoint, filename)
        self.logger.info(f'Resumed at iteration {self.iter}')

    def scale_lr(
        self, optim_wrapper: OptimWrapper, auto_scale_lr: dict | None = None
    ) -> None:
        """By the images that one step of each optimizer gathers."""
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
        """As of ``Runner``; refuses what would not do what it says."""
        configs = with_iterations(scheduler, self.train_loop)
        build = partial(super()._build_param_scheduler, configs)
        schedulers = build(optim_wrapper)
        check_steps(schedulers, self.max_iters)
        check_scaled(schedulers, self.auto_scale_lr)
        groups = optim_wrapper.param_groups
        check_end(schedulers, groups, build, self.max_iters)
        return schedulers

    @master_only
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
        """Write tensors and plain values, whole or not at all.

        Args:
            out_dir: Where to.
            filename: Name in it.
            file_client_args: Not used: local files only.
            save_optimizer: False leaves out the optimizer's state.
            save_param_scheduler: False leaves out the schedules' state.
            meta: What to add to the meta information.
            by_epoch: Not used: training counts iterations.
            backend_args: Not used: local files only.

        Raises:
            OSError: If it cannot be written.
            FloatingPointError: If weights are not finite; older checkpoints
                stay.
        """
        check_finite(self)
        checkpoint = content(self, save_optimizer, save_param_scheduler, meta)
        write_checkpoint(plain(checkpoint), Path(out_dir) / filename)

    @master_only
    def try_checkpoint(self) -> None:
        """Find out whether a checkpoint could be written now.

        Raises:
            ValueError: If it would hold what no checkpoint can hold.
        """
        plain(content(self), copy_tensors=False)

    def advice(self) -> str:
        """What to do when numbers are not finite any more."""
        whole = (p for p in checkpoints(self.work_dir) if not is_cut_off(p))
        newest = next(whole, None)
        return (
            f'the last good checkpoint is {newest}'
            if newest
            else 'there is no checkpoint yet'
        ) + (
            '; go on from it with a lower learning rate, '
            'optim_wrapper.clip_grad or without --amp'
        )
