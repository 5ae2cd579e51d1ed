"""Tensors of a checkpoint that our model does not need, and the reasons."""

from collections.abc import Mapping

from torch import Tensor

from ..key_mapping import Config, under
from ..transformer_names import CLIP_UNUSED, SHELL
from .average import STATE
from .conditioner import FIRST_STAGE
from .first_stage import LEFT_OUT
from .open_clip import LAYERS, UNUSED
from .process import SCHEDULE

# Names in a diffusion model: of its first stage, and of its conditions.
FIRST, SECOND = 'first_stage_model.', 'cond_stage_model.'
# Reasons for leaving out weights.
REPLACED = 'in training; their running average is taken'
NOT_TAKEN = 'of a running average; the weights themselves are taken'
COUNTERS = 'how far the running average is'
# Names that common files have besides the model's.
EXTRAS = {
    'embedding_manager.': 'of textual inversion, which is not in use',
    'denoiser.': 'noise levels of another sampler',
}
TWICE = 'the first stage under a second name, number by number the same'


def of_first_stage(start: str) -> dict[str, str]:
    """Reasons for leaving out weights of a first stage, by name prefix."""
    return {start + name: reason for name, reason in LEFT_OUT.items()}


def _of_clip(config: Config) -> dict[str, str]:
    """Reasons for leaving out weights of a text encoder, by name prefix."""
    reasons = {
        f'{SECOND}{start}{name}': reason
        for name, reason in CLIP_UNUSED.items()
        for start in ('', SHELL[0], ''.join(SHELL))
    } | under(SECOND, UNUSED)
    for embedder in config['conditioner'].get('embedders', ()):
        if embedder['type'] == 'TextEncoder':
            last = embedder['config']['num_hidden_layers']
            reasons[f'{SECOND}{LAYERS}{last}.'] = (
                'after the layer that is read'
            )
    return reasons


def of_diffusion(config: Config, params: Config) -> dict[str, str]:
    """Reasons for leaving out weights of a whole model, by name prefix."""
    reasons = of_first_stage(FIRST)
    reasons |= dict.fromkeys(
        SCHEDULE, 'the noise schedule, which is that of the config'
    )
    reasons |= EXTRAS | _of_clip(config)
    if params['cond_stage_config'] == FIRST_STAGE:
        reasons[SECOND] = TWICE
    return reasons


def left_out(
    weights: Mapping[str, Tensor],
    chosen: Mapping[str, Tensor],
    reasons: Mapping[str, str],
) -> dict[str, list[str]]:
    """Names of tensors that were not converted, by reason.

    Args:
        weights: All tensors of the checkpoint.
        chosen: The converted ones, including those of the average.
        reasons: Reasons by the prefix of names in ``chosen``.
    """
    replaced = [name for name, w in chosen.items() if w is not weights[name]]
    average = weights.keys() - chosen.keys()
    if replaced:
        found = {REPLACED: replaced, COUNTERS: sorted(average & STATE)}
    else:
        found = {NOT_TAKEN: sorted(average)}
    for name in chosen:
        for start, reason in reasons.items():
            if name.startswith(start):
                found.setdefault(reason, []).append(name)
                break
    return {reason: names for reason, names in found.items() if names}
