"""Valid values of the config keys that are not arguments of a class."""

import inspect
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.runner import LogProcessor, Runner
from torch.utils.data import DataLoader

from mmldm.utils.checks import suggest

from .arguments import check_keys
from .kinds import (
    BOOL,
    DICT,
    NAME,
    NAMES,
    NONE,
    POSITIVE,
    TEXT,
    TYPED,
    Kind,
    count,
    either,
    list_of,
    one_of,
)

# Top-level keys that mmengine or our tools read besides Runner's arguments.
EXTRA_KEYS = {
    'runner_type',
    'custom_imports',
    'find_unused_parameters',
    'sync_bn',
    'compile',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'model_wrapper_cfg',
    'latent_cache',
}


def _parameters(cls: type) -> set[str]:
    """Names of the parameters of the class's own constructor."""
    return {*inspect.signature(cls.__init__).parameters} - {'self'}


RUNNER_KEYS = (_parameters(Runner) | EXTRA_KEYS) - {'cfg'}
DATALOADER_KEYS = _parameters(DataLoader) | {
    'num_batch_per_epoch',
    'disable_subprocess_warning',
    'global_batch_size',
}
# Optimizer constructors that mmengine and mmagic offer.
CONSTRUCTORS = (
    None,
    'DefaultOptimWrapperConstructor',
    'MultiOptimWrapperConstructor',
    'mmagic.MultiOptimWrapperConstructor',
)
# Keys of ``paramwise_cfg`` that these constructors read.
PARAMWISE_KEYS = {
    'bias_lr_mult',
    'bias_decay_mult',
    'norm_decay_mult',
    'flat_decay_mult',
    'dwconv_decay_mult',
    'dcn_offset_lr_mult',
    'custom_keys',
    'bypass_duplicate',
}
CLIP_KEYS = {
    'type',
    'max_norm',
    'norm_type',
    'error_if_nonfinite',
    'foreach',
    'clip_value',
}
COMPILE_KEYS = {
    'fullgraph',
    'dynamic',
    'backend',
    'mode',
    'options',
    'disable',
}
# The ``type`` of these dicts is not a class, but 'norm' or 'value'.
CLIP_GRAD = r'optim_wrapper(\..+)?\.clip_grad'
# Keys of dicts without a type, by pattern of their dotted path.
UNTYPED: dict[str, set[str]] = {
    '(train|val|test)_dataloader': DATALOADER_KEYS,
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'auto_scale_lr': {'enable', 'base_batch_size'},
    'val_cfg': {'fp16'},
    'test_cfg': {'fp16', 'npz', 'same_everywhere', 'sampling'},
    r'test_cfg\.sampling': {'solver', 'grid', 'steps', 'guidance_scale'},
    r'model\.data_preprocessor': {'non_blocking'},
    'log_processor': _parameters(LogProcessor),
    r'env_cfg\.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    r'env_cfg\.dist_cfg': {'backend', 'timeout', 'init_backend', 'port'},
    'custom_imports': {'imports', 'allow_failed_imports'},
    'compile': COMPILE_KEYS,
    CLIP_GRAD: CLIP_KEYS,
    r'optim_wrapper(\..+)?\.paramwise_cfg': PARAMWISE_KEYS,
}

TOGETHER = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)
EDITORS = ('FirstStage', 'LatentClassification', 'LatentDiffusion')

# Each worker is a process with a copy of the data set's list.
MOST_WORKERS = max(64, 8 * (os.cpu_count() or 1))
NOT_NEGATIVE = count(least=0)
SEED = count(2**32 - 1, 0)
LEVELS = ('CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG', 'NOTSET')

# Valid values by pattern of the dotted path; other keys are not checked.
KINDS: dict[str, Kind] = {
    'model': DICT,
    r'model\.(denoiser|conditioner)': DICT,
    r'model\.autoencoder': either(DICT, NONE),
    'work_dir|default_scope': TEXT,
    'load_from': either(TEXT, NONE),
    'experiment_name': either(NAME, NONE),
    'latent_cache': either(TEXT, NONE),
    'resume|find_unused_parameters': BOOL,
    'launcher': one_of('none', 'pytorch', 'slurm', 'mpi'),
    'log_level': either(one_of(*LEVELS), count(100, 0)),
    r'(train|val|test)_(dataloader|cfg)|optim_wrapper': either(DICT, NONE),
    r'(train|val|test)_dataloader\.(dataset|sampler|batch_sampler)': TYPED,
    r'\w+_dataloader\.(batch_size|global_batch_size)': count(),
    r'\w+_dataloader\.num_batch_per_epoch': count(),
    r'\w+_dataloader\.num_workers': count(MOST_WORKERS, 0),
    r'\w+_dataloader\.prefetch_factor': either(count(), NONE),
    r'\w+_dataloader\.timeout': either(count(least=0), POSITIVE),
    r'\w+_dataloader\.(persistent_workers|pin_memory|drop_last)': BOOL,
    r'\w+_dataloader\.multiprocessing_context': either(
        one_of('fork', 'spawn', 'forkserver'), NONE
    ),
    r'\w+_dataloader\.dataset(\.\w+)*\.pipeline': either(list_of(TYPED), NONE),
    r'\w+_dataloader\.collate_fn': TYPED,
    r'train_cfg\.(max_iters|max_epochs|val_interval)': count(),
    r'(val|test)_cfg\.fp16': BOOL,
    'auto_scale_lr|visualizer|env_cfg|default_hooks|log_processor': either(
        DICT, NONE
    ),
    r'auto_scale_lr\.enable': BOOL,
    r'auto_scale_lr\.base_batch_size': count(),
    r'optim_wrapper(\.\w+)?\.optimizer': TYPED,
    r'optim_wrapper(\.\w+)?\.(clip_grad|paramwise_cfg)': either(DICT, NONE),
    r'optim_wrapper(\.\w+)?\.accumulative_counts': count(),
    r'optim_wrapper(\.\w+)?\.clip_grad\.(max_norm|clip_value)': POSITIVE,
    'param_scheduler': either(TYPED, list_of(TYPED), DICT, NONE),
    '(val|test)_evaluator': either(DICT, list_of(DICT), NONE),
    r'default_hooks\.\w+': either(DICT, NONE),
    'custom_hooks': either(list_of(TYPED), NONE),
    'randomness|custom_imports|data_preprocessor|model_wrapper_cfg': either(
        DICT, NONE
    ),
    r'randomness\.seed': either(SEED, NONE),
    r'randomness\.(deterministic|diff_rank_seed)': BOOL,
    r'custom_imports\.imports': NAMES,
    r'custom_imports\.allow_failed_imports': BOOL,
    r'env_cfg\.cudnn_benchmark': BOOL,
    r'env_cfg\.resource_limit': count(),
    r'env_cfg\.(mp_cfg|dist_cfg)': either(DICT, NONE),
    r'env_cfg\.mp_cfg\.mp_start_method': one_of('fork', 'spawn', 'forkserver'),
    r'env_cfg\.mp_cfg\.opencv_num_threads': either(count(1024, 0), NONE),
    r'env_cfg\.dist_cfg\.backend': TEXT,
    r'env_cfg\.dist_cfg\.timeout': POSITIVE,
    r'log_processor\.window_size': count(),
    r'log_processor\.by_epoch': BOOL,
    r'log_processor\.custom_cfg': either(list_of(DICT), NONE),
    r'log_processor\.num_digits': count(20),
    'sync_bn': either(one_of('torch', 'mmcv'), NONE),
    'compile': either(BOOL, DICT, NONE),
    r'compile\.(fullgraph|disable)': BOOL,
    r'compile\.dynamic': either(BOOL, NONE),
    r'compile\.mode': either(TEXT, NONE),
    'activation_checkpointing|efficient_conv_bn_eval': either(NAMES, NONE),
}


def check_known_keys(config: Mapping[str, Any]) -> None:
    """Raise if a key that no class reads is unknown, or its value invalid.

    Args:
        config: A whole config, as plain dicts and lists.

    Raises:
        ValueError: Names the unknown key, or the key and its invalid value.
    """
    for path, value, above in _entries(config, ''):
        for pattern, (words, is_kind) in KINDS.items():
            if re.fullmatch(pattern, path) and not is_kind(value):
                raise ValueError(f'{path}={value!r:.200} must be {words}')
        if not isinstance(value, Mapping):
            continue
        if path.endswith('.paramwise_cfg') and (
            above.get('constructor') not in CONSTRUCTORS
        ):
            continue
        for pattern, valid in UNTYPED.items():
            if re.fullmatch(pattern, path) and (
                'type' not in value or pattern == CLIP_GRAD
            ):
                check_keys(path, value, valid)
    _check_hook_names(config.get('default_hooks') or {})
    _check_unavailable(config)


def _entries(
    node: Mapping[str, Any], above: str
) -> Iterator[tuple[str, Any, Mapping]]:
    """(dotted path, value, containing dict) for a config's upper levels."""
    for key, value in node.items():
        path = f'{above}{key}'
        yield path, value, node
        deep = path.count('.') > 3 or above.startswith('model.')
        if isinstance(value, Mapping) and not deep:
            yield from _entries(value, f'{path}.')


def _check_hook_names(hooks: Mapping[str, Any]) -> None:
    for name, hook in hooks.items():
        if isinstance(hook, Mapping) and 'type' not in hook:
            raise ValueError(
                f'default_hooks.{name} has no type'
                f'{suggest(name, {*hooks} - {name})}'
            )


def check_together(config: Mapping[str, Any]) -> None:
    """Raise if training, validation or test has only some of its parts.

    Args:
        config: See :func:`check_known_keys`.

    Raises:
        ValueError: Names the parts.
    """
    for keys in TOGETHER:
        given = [key for key in keys if config.get(key) is not None]
        missing = [key for key in keys if key not in given]
        if given and any(key in config for key in missing):
            raise ValueError(
                f'{missing[0]} is None, but {given[0]} is not: set all of '
                f'{", ".join(keys)}, or set all of them to None'
            )


def _check_unavailable(config: Mapping[str, Any]) -> None:
    """Raise for features of mmengine that do not work with our models."""
    model = config.get('model')
    kind = model.get('type') if isinstance(model, Mapping) else None
    if str(kind).removeprefix('mmldm.') not in EDITORS:
        return
    if config.get('activation_checkpointing') is not None:
        raise ValueError(
            f'activation_checkpointing is not available for {kind}: remove '
            'it, and set model.denoiser.checkpointing=True, or a smaller '
            'batch with optim_wrapper.accumulative_counts'
        )
    if 'init_cfg' in model:
        raise ValueError(
            f'model.init_cfg is not available for {kind}, because its layers '
            'initialize themselves: remove it, and set load_from to start '
            'from given weights'
        )
