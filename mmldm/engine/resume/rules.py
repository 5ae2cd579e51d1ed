"""What becomes of a config key that differs at ``--resume``.

A key that no rule names does not change the training and is only counted.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .config_diff import MISSING, Difference

TAKEN = 'taken from the config'
KEPT = 'kept from the checkpoint'
REFUSED = 'refused'
# How a training was called, which says nothing about what it does.
CALL = {'load_from', 'resume', 'experiment_name', 'launcher'}
# Keys that a line names; a replaced data set has many.
MOST_KEYS = 4

WRAPPER = r'optim_wrapper(\.\w+)?'
# What the learning rate comes from.
RATES = rf'param_scheduler(\..*)?|{WRAPPER}\.optimizer\.lr|auto_scale_lr\..*'
Says = Callable[[Sequence[Difference]], str]


class Rule(NamedTuple):
    """One group of keys, and what happens to them.

    Attributes:
        keys: Regular expression; the first rule that matches counts.
        fate: TAKEN, KEPT or REFUSED.
        says: What follows, with {facts} to fill in; the remedy of a refusal.
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
            'the average in the checkpoint is dropped, and training goes on '
            'with the weights in training'
        )
    return 'the average goes on from that in the checkpoint'


RULES = (
    Rule(
        rf'{WRAPPER}\.optimizer\.(type|amsgrad|centered)',
        REFUSED,
        'the state of the optimizer in the checkpoint is of another kind: '
        'set the key back, or begin a training with load_from={file} in '
        'place of --resume',
    ),
    Rule(
        rf'{WRAPPER}\.constructor',
        REFUSED,
        'the state of the optimizers in the checkpoint is of another kind: '
        'set the key back, or begin a training with load_from={file} in '
        'place of --resume',
    ),
    Rule(
        RATES,
        TAKEN,
        'the learning rate after iteration {iteration} is {lr}, which is what '
        'a training with this config from its beginning has there',
    ),
    Rule(
        rf'{WRAPPER}\.(optimizer|paramwise_cfg|clip_grad)(\..*)?',
        TAKEN,
        "the optimizer's averages are those of the checkpoint",
    ),
    Rule(
        rf'{WRAPPER}\.accumulative_counts',
        TAKEN,
        'steps of the optimizer gather so many batches from here on',
    ),
    Rule(
        rf'{WRAPPER}\..*',
        TAKEN,
        'precision and scaling of the gradients start afresh',
    ),
    Rule(
        r'randomness\.seed',
        KEPT,
        'the order of the data and all noise go on with seed {seed}; for '
        'another seed, begin a training with load_from={file} in place of '
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
        'the data go on after the {num_samples} images that the checkpoint '
        'has seen: none is skipped or repeated',
    ),
    Rule(
        r'train_dataloader\.(dataset|sampler)(\..*)?|'
        r'(number|classes) of training images',
        TAKEN,
        'the data go on at place {num_samples} in the order of these data, '
        'which is another order where their number differs',
    ),
    Rule(r'train_dataloader\.collate_fn(\..*)?', TAKEN, 'of all batches'),
    Rule(
        r'train_cfg\.(max_iters|max_epochs)',
        TAKEN,
        'training ends after iteration {max_iters}',
    ),
    Rule(
        r'train_cfg\.(type|by_epoch)',
        TAKEN,
        'the number of iterations goes on from {iteration}',
    ),
    Rule(r'hooks\.ModuleEMAHook(\..*)?', TAKEN, _say_average),
    Rule(
        r'hooks\.AddressedSeedHook(\..*)?',
        TAKEN,
        'without this hook, dropout is not that of an uninterrupted training',
    ),
    Rule(
        r'hooks\.(?!(LatentScaleHook|LoggerHook|IterTimerHook|'
        r'ParamSchedulerHook|DistSamplerSeedHook|AtomicCheckpointHook|'
        r'ImageGridHook|RuntimeInfoHook|SyncBuffersHook|'
        r'ReferenceMetricsHook|EmptyCacheHook|ProfilerHook)\b).*',
        TAKEN,
        'a hook that is added starts without a history',
    ),
    Rule(
        r'model\.autoencoder_checkpoint',
        TAKEN,
        'its weights are those that the checkpoint was trained with',
    ),
    Rule(
        r'model\.(diffusion_scheduler\.(solver|time_grid|num_steps)|guidance)'
        r'(\..*)?',
        TAKEN,
        'for the images of validation; training does not use it',
    ),
    Rule(
        r'model(\..*)?|data_preprocessor(\..*)?',
        TAKEN,
        'the weights go on under the changed model or loss',
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
    """The differences by rule, in the rules' order; how many have none."""
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
    """What one group of differences is, and what becomes of it."""
    says = rule.says if isinstance(rule.says, str) else rule.says(differences)
    keys = [str(difference) for difference in differences[:MOST_KEYS]]
    if len(differences) > MOST_KEYS:
        keys.append(f'and {len(differences) - MOST_KEYS} more keys')
    return f'{", ".join(keys)}: {rule.fate}; {says.format(**facts)}'
