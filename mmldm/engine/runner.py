"""mmengine's Runner with exact resume, safe files and CPU processes."""

import time
from collections.abc import Mapping
from pathlib import Path

import mmengine
import torch
from mmengine.device import get_device
from mmengine.dist import all_gather_object, master_only
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.runner import Runner

from mmldm.compat import (
    check_gpu_count,
    die_with_launcher,
    init_cpu_process_group,
)
from mmldm.registry import RUNNERS
from mmldm.utils import check_divisible
from mmldm.utils.checkpoint import (
    load_weights,
    newest_checkpoint,
    read_checkpoint,
    weights_of,
    write_checkpoint,
)
from mmldm.utils.distributed import broadcast_state
from mmldm.utils.memory import keep_freed_memory

from .checkpoint_state import hub_state, hub_state_for_loading, plain
from .screen import quiet_screen


@RUNNERS.register_module()
class LDMRunner(Runner):
    """What ``runner_type='mmldm.LDMRunner'`` builds.

    Differs from mmengine's Runner where that one fails today (see
    ``compat.py``) or where a resumed run would not equal an uninterrupted
    one. ``train_dataloader.global_batch_size``, in the stead of
    ``batch_size``, is shared by however many processes there are.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self._randomness_cfg.get('diff_rank_seed'):
            raise ValueError(
                'randomness.diff_rank_seed=True makes one order of the data '
                'impossible: leave it out; what is drawn differs by sample, '
                'hence by rank, in any case'
            )
        if isinstance(self._train_dataloader, dict):
            _share_batch(self._train_dataloader, self.world_size)
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
            ValueError: If there are more processes than GPUs.
        """
        if self.distributed:
            check_gpu_count()
            die_with_launcher()
            init_cpu_process_group()
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
        # mmengine's resume would execute a config it finds here.
        checkpoint.get('meta', {}).pop('config', None)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_weights(self.bare_model, weights_of(checkpoint), filename)
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
        """As of ``Runner``; the sampler goes on with the resumed seed.

        Read on the CPU, where histories and Adam's step counts belong.
        """
        super().resume(
            filename, resume_optimizer, resume_param_scheduler, map_location
        )
        self.train_dataloader.sampler.seed = self.seed

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
        self._check_finite_weights()
        checkpoint = dict(
            meta=self._meta(meta or {}),
            state_dict=self.bare_model.state_dict(),
            message_hub=hub_state(self.message_hub),
        )
        if save_optimizer:
            checkpoint['optimizer'] = self.optim_wrapper.state_dict()
        if save_param_scheduler and self.param_schedulers is not None:
            checkpoint['param_schedulers'] = _scheduler_states(
                self.param_schedulers
            )
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        write_checkpoint(plain(checkpoint), Path(out_dir) / filename)

    def _check_finite_weights(self) -> None:
        weights = self.bare_model.state_dict().items()
        broken = [name for name, w in weights if not w.isfinite().all()]
        if broken:
            raise FloatingPointError(
                f'{len(broken)} weights are not finite after iteration '
                f'{self.iter + 1}, among them {broken[0]}: {self.advice()}'
            )

    def advice(self) -> str:
        """What to do when numbers are not finite any more."""
        newest = newest_checkpoint(self.work_dir)
        return (
            f'the last good checkpoint is {newest}'
            if newest
            else 'there is no checkpoint yet'
        ) + (
            '; go on from it with a lower learning rate, '
            'optim_wrapper.clip_grad or without --amp'
        )

    def _meta(self, meta: dict) -> dict:
        return {
            'epoch': self.epoch,
            'iter': self.iter + 1,
            'cfg': self.cfg.pretty_text,
            'seed': self.seed,
            'experiment_name': self.experiment_name,
            'time': time.strftime('%Y%m%d_%H%M%S'),
            'mmengine_version': mmengine.__version__,
            'dataset_meta': self.train_dataloader.dataset.metainfo,
            **meta,
        }


def _share_batch(dataloader: dict, world_size: int) -> None:
    """Turn a ``global_batch_size`` into this process's ``batch_size``.

    Raises:
        ValueError: If it does not divide, or both are given.
    """
    size = dataloader.pop('global_batch_size', None)
    if size is None:
        return
    if 'batch_size' in dataloader:
        raise ValueError(
            f'train_dataloader has global_batch_size={size} and '
            f'batch_size={dataloader["batch_size"]}, which is that of one '
            'process: set train_dataloader.global_batch_size='
            f'{dataloader["batch_size"] * world_size} instead'
        )
    check_divisible(
        'train_dataloader.global_batch_size',
        size,
        'the number of processes',
        world_size,
    )
    dataloader['batch_size'] = size // world_size


def _scheduler_states(schedulers: dict | list) -> dict | list:
    if isinstance(schedulers, dict):
        return {k: _scheduler_states(v) for k, v in schedulers.items()}
    return [scheduler.state_dict() for scheduler in schedulers]
