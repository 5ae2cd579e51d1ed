"""Resuming of a training, with a report of changes in the config."""

import re
from collections.abc import Mapping
from typing import Any

from mmldm.utils.stored_config import stored_config

from ..checkpoint_state import plain
from ..optim_wrapper import named_wrappers
from .all_optimizers import rates, resume_optimizers
from .config_diff import Difference, config_differences
from .rules import RATES, REFUSED, line, sort_out
from .sizes import continues, other_sizes


def resume_training(runner: Any, checkpoint: dict, path: str) -> None:
    """Put a runner into the state of a checkpoint.

    Changes of the config are logged, one line for each group of keys.

    Args:
        runner: Runner with the checkpoint's weights, and with optimizers and
            schedules built from the config.
        checkpoint: Content of a training checkpoint, on the CPU.
        path: The checkpoint's path, for messages.

    Raises:
        ValueError: If the checkpoint has no state of a training, or the
            config cannot continue it; names key and remedy.
    """
    meta = _checked_meta(checkpoint, path)
    stored = stored_config(checkpoint)
    differences = _differences(runner, stored, meta)
    groups, rest = sort_out(differences)
    facts = dict(file=path, iteration=meta['iter'])
    refused = [line(*g, facts) for g in groups if g[0].fate == REFUSED]
    if refused:
        raise ValueError(f'{path} cannot be resumed: {"; ".join(refused)}')
    _check_accumulation(runner, meta['iter'], path)
    _check_epochs(runner.train_loop, meta, path)
    samples = _samples_seen(runner, stored, meta)
    runner.train_loop.resume_at(meta['iter'], samples)
    _resume_seed(runner, meta.get('seed'))
    runner.message_hub.load_state_dict(checkpoint['message_hub'])
    other = resume_optimizers(runner, checkpoint, stored, differences)
    facts |= dict(
        lr=rates(runner),
        seed=runner.seed,
        num_samples=samples,
        max_iters=runner.max_iters,
        continues=continues(runner.train_loop.size_counts),
    )
    lines = [line(*group, facts) for group in groups]
    if other and not any(rule.keys == RATES for rule, _ in groups):
        lines.append(
            f'the learning rate after iteration {meta["iter"]} is '
            f'{facts["lr"]}, taken from the config, whose schedule differs '
            "from the checkpoint's"
        )
    _report(runner, lines, rest)
    _warn(runner, path, stored is not None, meta['iter'])


def _warn(runner: Any, path: str, has_config: bool, iteration: int) -> None:
    if not has_config:
        runner.logger.warning(
            f'The config in {path} cannot be read: changes are not listed, '
            'and only the learning rate of the optimizer is taken from the '
            'config'
        )
    if iteration >= runner.max_iters:
        runner.logger.warning(
            f'{path} is from iteration {iteration} and training ends after '
            f'{runner.max_iters}: nothing is left to do'
        )


def _report(runner: Any, lines: list[str], rest: int) -> None:
    for text in lines:
        runner.logger.warning(f'--resume: {text}')
    if rest:
        runner.logger.info(
            f'--resume: {rest} other keys differ, which do not change the '
            'training'
        )


def architecture_differences(cfg: Mapping, checkpoint: Mapping) -> str:
    """'; the configs differ in ...' for weights that do not fit."""
    stored = stored_config(checkpoint)
    if stored is None:
        return ''
    differences = [
        str(difference)
        for difference in config_differences(stored, cfg)
        if re.match(
            r'model\.(?!diffusion_scheduler\.|guidance)', difference.key
        )
    ]
    if not differences:
        return ''
    return f'. The configs differ in {", ".join(differences)}'


def _checked_meta(checkpoint: dict, path: str) -> dict:
    meta = checkpoint.get('meta') or {}
    missing = [
        key for key in ('message_hub', 'optimizer') if key not in checkpoint
    ] + ([] if 'iter' in meta else ['meta.iter'])
    if missing:
        raise ValueError(
            f'{path} holds weights, but not the state of a training '
            f'({", ".join(missing)} missing): start a training with '
            f'load_from={path} instead of --resume'
        )
    return meta


def _differences(
    runner: Any, stored: dict | None, meta: dict
) -> list[Difference]:
    """Differences of the configs, the data and the global batch size."""
    found = []
    if stored is not None:
        found = config_differences(stored, runner.cfg.to_dict())
    loop = runner.train_loop
    dataset = loop.dataloader.dataset
    for name, key, value in (
        (
            'global_batch_size',
            'images of an iteration',
            loop.global_batch_size,
        ),
        ('dataset_size', 'number of training images', len(dataset)),
        (
            'dataset_meta',
            'classes of training images',
            plain(dataset.metainfo),
        ),
    ):
        # Compared as text: the metainfo of a data set may hold arrays.
        if repr(meta.get(name, value)) != repr(value):
            found.append(Difference(key, meta[name], value))
    found += other_sizes(meta.get('size_counts'), loop.size_counts)
    # A config without seed accepts the checkpoint's.
    return [
        d
        for d in found
        if d.key != 'randomness.seed'
        or (d.current is not None and d.current != meta.get('seed'))
    ]


def _check_accumulation(runner: Any, iteration: int, path: str) -> None:
    for key, wrapper in named_wrappers(runner.optim_wrapper).items():
        counts = wrapper._accumulative_counts
        if iteration < runner.max_iters and iteration % counts:
            raise ValueError(
                f'{path} is from iteration {iteration}, between two steps of '
                f'{key} with accumulative_counts={counts}: set '
                'accumulative_counts to a divisor of the iteration, or use '
                'another checkpoint'
            )


def _check_epochs(loop: Any, meta: dict, path: str) -> None:
    """Raise if epochs have another length than in the checkpoint."""
    lengths = meta.get('epoch_length'), loop.epoch_length
    if None not in lengths and lengths[0] != lengths[1]:
        raise ValueError(
            f'an epoch has {lengths[1]} iterations, in {path} {lengths[0]}, '
            'as the batch size or the number of images differs: restore '
            f'them, start a training with load_from={path} instead of '
            '--resume, or count iterations by '
            "train_cfg=dict(type='AddressedTrainLoop', max_iters=...)"
        )


def _samples_seen(runner: Any, stored: dict | None, meta: dict) -> int:
    """Number of images before the checkpoint; estimated before 2026-12."""
    if 'num_samples' in meta:
        return meta['num_samples']
    dataloader = (stored or {}).get('train_dataloader', {})
    batch = dataloader.get('global_batch_size') or (
        dataloader.get('batch_size', 0) * runner.world_size
    )
    return meta['iter'] * (batch or runner.train_loop.global_batch_size)


def _resume_seed(runner: Any, seed: int | None) -> None:
    if seed is not None and seed != runner._randomness_cfg.get('seed'):
        runner._randomness_cfg.update(seed=seed)
        runner.set_randomness(**runner._randomness_cfg)
    runner.train_dataloader.sampler.seed = runner.seed
