"""All optimizers of a training, and their states in a checkpoint."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from mmengine.runner import Runner

from ..optim_wrapper import named_wrappers
from .config_diff import Difference
from .optimizers import Changed, Part, Progress, resume_part
from .rules import WRAPPER
from .schedules import begun

SCHEDULE = rf'{WRAPPER}\.(optimizer\.lr|paramwise_cfg.*)|param_scheduler.*'


def rates(runner: Any) -> str:
    """The learning rates of all optimizers, for a message."""
    wrappers = named_wrappers(runner.optim_wrapper).values()
    texts = [f'{w.optimizer.param_groups[0]["lr"]:.4g}' for w in wrappers]
    return ' and '.join(dict.fromkeys(texts))


def resume_optimizers(
    runner: Any,
    checkpoint: dict,
    stored: dict | None,
    differences: list[Difference],
) -> bool:
    """Load all optimizers; return whether a schedule has changed.

    Args:
        runner: Runner with optimizers and schedules built from the config.
        checkpoint: Content of a training checkpoint, on the CPU.
        stored: The checkpoint's config; None if it cannot be read.
        differences: Those of the two configs.
    """
    loop = runner.train_loop
    progress = Progress(loop.iter, loop.epoch_length)
    return any(
        [
            resume_part(
                part, _changed(part.key, stored, differences), progress
            )
            for part in _parts(runner, checkpoint, stored)
        ]
    )


def _changed(
    wrapper: str, stored: dict | None, differences: list[Difference]
) -> Changed:
    keys = [d.key for d in differences]
    own = [k for k in keys if k.startswith(f'{wrapper}.')]
    settings = {
        key.removeprefix(f'{wrapper}.optimizer.').split('.')[0]
        for key in own
        if key.startswith(f'{wrapper}.optimizer.')
    }
    grouped = any(k.startswith(f'{wrapper}.paramwise_cfg') for k in own)
    schedule = any(
        re.fullmatch(SCHEDULE, key)
        for key in keys
        if key in own or key.startswith('param_scheduler')
    )
    return Changed(None if grouped else settings, schedule if stored else None)


def _parts(runner: Any, checkpoint: dict, stored: dict | None) -> list[Part]:
    """Every optimizer with its states.

    Raises:
        ValueError: If the checkpoint's optimizers have other names.
    """
    wrappers = named_wrappers(runner.optim_wrapper)
    states = _by_key(checkpoint['optimizer'], wrappers)
    if states.keys() != wrappers.keys():
        raise ValueError(
            f'the config has {", ".join(wrappers)}, the checkpoint '
            f'{", ".join(states)}: restore optim_wrapper, or start a '
            'training with load_from instead of --resume'
        )
    schedulers = _by_key(runner.param_schedulers or [], wrappers)
    kept = _by_key(checkpoint.get('param_schedulers') or [], wrappers)
    return [
        Part(
            key,
            wrapper,
            schedulers.get(key, []),
            states[key],
            kept.get(key, []),
            _builder(runner, stored, key.rpartition('.')[2]),
        )
        for key, wrapper in wrappers.items()
    ]


def _by_key(value: Any, wrappers: Mapping) -> dict[str, Any]:
    """Values by config key of the wrapper: one for all, or one each."""
    if isinstance(value, list) or 'param_groups' in value:
        return dict.fromkeys(
            wrappers if isinstance(value, list) else ['optim_wrapper'], value
        )
    return {f'optim_wrapper.{name}': part for name, part in value.items()}


def _builder(runner: Any, stored: dict | None, name: str) -> Any:
    """A function that builds the schedulers of the checkpoint's config."""
    if stored is None:
        return None
    configs = stored.get('param_scheduler') or []
    if isinstance(configs, dict):
        configs = [configs] if 'type' in configs else configs[name]
    end = stored.get('train_cfg', {}).get('max_iters')
    if end:
        configs = [
            config if config.get('by_epoch', True) else {'end': end, **config}
            for config in begun(configs, end)
        ]
    return partial(Runner._build_param_scheduler, runner, configs)
