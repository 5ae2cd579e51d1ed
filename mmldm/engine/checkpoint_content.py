"""The content of a training checkpoint."""

import time
from typing import Any

import mmengine
import torch

from mmldm.utils.newest_checkpoint import checkpoints, is_cut_off
from mmldm.utils.sharding import own_part
from mmldm.utils.stored_config import store_config

from .checkpoint_state import hub_state
from .resume import scheduler_states


def content(
    runner: Any,
    optimizer: bool = True,
    schedules: bool = True,
    meta: dict | None = None,
) -> dict[str, Any]:
    """The content that a training resumes from, after this iteration.

    Args:
        runner: The runner, in training.
        optimizer: Include the state of the optimizers.
        schedules: Include the state of their schedules.
        meta: Additional meta information.
    """
    checkpoint = dict(
        meta=_meta(runner, meta or {}),
        state_dict=runner.bare_model.state_dict(),
        message_hub=hub_state(runner.message_hub),
    )
    if optimizer:
        checkpoint['optimizer'] = runner.optim_wrapper.state_dict()
    if schedules and runner.param_schedulers is not None:
        checkpoint['param_schedulers'] = scheduler_states(
            runner.param_schedulers
        )
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    return checkpoint


def _meta(runner: Any, meta: dict) -> dict[str, Any]:
    return {
        'epoch': runner.epoch,
        'iter': runner.iter + 1,
        'cfg': store_config(runner.cfg.to_dict()),
        'seed': runner.seed,
        **runner.train_loop.sample_counts(),
        'experiment_name': runner.experiment_name,
        'time': time.strftime('%Y%m%d_%H%M%S'),
        'mmengine_version': mmengine.__version__,
        'dataset_meta': runner.train_dataloader.dataset.metainfo,
        **meta,
    }


def check_finite(runner: Any) -> None:
    """Raise if losses, weights or buffers of the model are not finite.

    Raises:
        FloatingPointError: Names the first of them, and the remedy.
    """
    runner.train_loop.late.read_all()
    weights = runner.bare_model.state_dict()
    sound = [own_part(w).isfinite().all() for w in weights.values()]
    # One copy, and thus one wait for the device.
    finite = torch.stack([s.to(sound[0].device) for s in sound]).tolist()
    broken = [n for n, fine in zip(weights, finite, strict=True) if not fine]
    if broken:
        raise FloatingPointError(
            f'{len(broken)} weights are not finite after iteration '
            f'{runner.iter + 1}, among them {broken[0]}: {runner.advice()}'
        )


def advice_after_nan(runner: Any) -> str:
    """The remedy for numbers that are not finite, in one line."""
    runner.checkpoint_writer.wait()
    found = checkpoints(runner.work_dir)
    whole = (path for path in found if not is_cut_off(path))
    newest = next(whole, None)
    return (
        f'the last good checkpoint is {newest}'
        if newest
        else 'there is no checkpoint yet'
    ) + (
        '; resume with a lower learning rate, with '
        'optim_wrapper.clip_grad or without --amp'
    )
