"""Rules for config keys that differ at ``--resume``.

A key without a rule does not change the training and is only counted.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .config_diff import MISSING, Difference

TAKEN = 'taken from the config'
KEPT = 'kept from the checkpoint'
REFUSED = 'refused'
# Keys of the call, which do not change the training.
CALL = {'load_from', 'resume', 'experiment_name', 'launcher'}
# Largest number of keys in a line; a replaced data set has many.
MOST_KEYS = 4

WRAPPER = r'optim_wrapper(\.\w+)?'
# Keys that set the learning rate.
RATES = rf'param_scheduler(\..*)?|{WRAPPER}\.optimizer\.lr|auto_scale_lr\..*'
Says = Callable[[Sequence[Difference]], str]


class Rule(NamedTuple):
    """A group of keys, and what happens to them.

    Attributes:
        keys: Regular expression; the first rule that matches counts.
        fate: One of TAKEN, KEPT and REFUSED.
        says: The consequence, or the remedy of a refusal, with {facts} to
            fill in; or a function of the differences that returns it.
    """

    keys: str
    fate: str
    says: str | Says


def _say_average(differences: Sequence[Difference]) -> str:
    if any(
        d.stored is MISSING and d.key.endswith('type') for d in differences
    ):
        return (
            'the average starts at iteration {iteration} from the weights in '
            'training'
        )
    if any(
        d.current is MISSING and d.key.endswith('type') for d in differences
    ):
        return (
            'the average in the checkpoint is dropped, and training continues '
            'with the weights in training'
        )
    return 'the average continues from the one in the checkpoint'


RULES = (
    Rule(
        rf'{WRAPPER}\.optimizer\.(type|amsgrad|centered)',
        REFUSED,
        'the state of the optimizer in the checkpoint is of another kind: '
        'restore the key, or start a training with load_from={file} instead '
        'of --resume',
    ),
    Rule(
        rf'{WRAPPER}\.constructor',
        REFUSED,
        'the state of the optimizers in the checkpoint is of another kind: '
        'restore the key, or start a training with load_from={file} instead '
        'of --resume',
    ),
    Rule(
        RATES,
        TAKEN,
        'the learning rate after iteration {iteration} is {lr}, as in a '
        'training that used this config from its start',
    ),
    Rule(
        rf'{WRAPPER}\.(optimizer|paramwise_cfg|clip_grad)(\..*)?',
        TAKEN,
        "the optimizer's averages are kept from the checkpoint",
    ),
    Rule(
        rf'{WRAPPER}\.accumulative_counts',
        TAKEN,
        'steps of the optimizer accumulate this many batches from now on',
    ),
    Rule(
        rf'{WRAPPER}\..*',
        TAKEN,
        'precision and scaling of the gradients start anew',
    ),
    Rule(
        r'randomness\.seed',
        KEPT,
        'the order of the data and all noise continue with seed {seed}; for '
        'another seed, start a training with load_from={file} instead of '
        '--resume',
    ),
    Rule(
        r'randomness\..*|env_cfg\.cudnn_benchmark',
        TAKEN,
        'the last bits of results may differ',
    ),
    Rule(
        r'train_dataloader\.((global_)?batch_size|drop_last)|'
        r'images of an iteration',
        TAKEN,
        'the data continues after the {num_samples} images of the '
        'checkpoint: {continues}',
    ),
    Rule(
        r'images of each size',
        REFUSED,
        'batches of one size would be of other images: restore the images, '
        'or start a training with load_from={file} instead of --resume',
    ),
    Rule(
        r'train_dataloader\.(dataset|sampler)(\..*)?|'
        r'(number|classes) of training images',
        TAKEN,
        'the data continues at position {num_samples} of the new data, whose '
        'order differs if their number differs',
    ),
    Rule(r'train_dataloader\.collate_fn(\..*)?', TAKEN, 'for all batches'),
    Rule(
        r'train_cfg\.(max_iters|max_epochs)',
        TAKEN,
        'training ends after iteration {max_iters}',
    ),
    Rule(
        r'train_cfg\.(type|by_epoch)',
        TAKEN,
        'the number of iterations continues from {iteration}',
    ),
    Rule(r'hooks\.ModuleEMAHook(\..*)?', TAKEN, _say_average),
    Rule(
        r'hooks\.AddressedSeedHook(\..*)?',
        TAKEN,
        'without this hook, dropout differs from an uninterrupted training',
    ),
    Rule(
        r'hooks\.(?!(LatentScaleHook|LoggerHook|IterTimerHook|'
        r'ParamSchedulerHook|DistSamplerSeedHook|AtomicCheckpointHook|'
        r'ImageGridHook|ProgressStripHook|RuntimeInfoHook|SyncBuffersHook|'
        r'ReferenceMetricsHook|EmptyCacheHook|ProfilerHook)\b).*',
        TAKEN,
        'a hook that is added starts without a history',
    ),
    Rule(
        r'model\.autoencoder_checkpoint',
        TAKEN,
        'its weights are kept from the checkpoint',
    ),
    Rule(
        r'model\.(diffusion_scheduler\.(solver|time_grid|num_steps)|guidance)'
        r'(\..*)?',
        TAKEN,
        'it changes the images of validation, not the training',
    ),
    Rule(
        r'model(\..*)?|data_preprocessor(\..*)?',
        TAKEN,
        'the weights continue with the changed model or loss',
    ),
    Rule(r'work_dir', TAKEN, 'new checkpoints are written there'),
    Rule(
        r'find_unused_parameters|sync_bn|compile(\..*)?|'
        r'activation_checkpointing(\..*)?|model_wrapper_cfg(\..*)?|'
        r'custom_imports(\..*)?|runner_type',
        TAKEN,
        'the last bits of results may differ',
    ),
)


def sort_out(
    differences: Sequence[Difference],
) -> tuple[list[tuple[Rule, list[Difference]]], int]:
    """The differences by rule, in the rules' order; the number without."""
    groups: dict[int, list[Difference]] = {}
    rest = 0
    for difference in differences:
        if difference.key in CALL:
            continue
        for i, rule in enumerate(RULES):
            if re.fullmatch(rule.keys, difference.key):
                groups.setdefault(i, []).append(difference)
                break
        else:
            rest += 1
    return [(RULES[i], groups[i]) for i in sorted(groups)], rest


def line(rule: Rule, differences: Sequence[Difference], facts: dict) -> str:
    """The message about a group of differences and its consequence."""
    says = rule.says if isinstance(rule.says, str) else rule.says(differences)
    keys = [str(difference) for difference in differences[:MOST_KEYS]]
    if len(differences) > MOST_KEYS:
        keys.append(f'and {len(differences) - MOST_KEYS} more keys')
    return f'{", ".join(keys)}: {rule.fate}; {says.format(**facts)}'
