"""Checkpoints of a codebook: its state besides the codes."""

from torch import nn

# Buffers for the remedies for collapse; a decoder needs none of these.
TRAINING_STATE = ('ema_size', 'ema_sum', 'initialized', 'idle')


def fit_state(
    quantizer: nn.Module, state_dict: dict, prefix: str, *_: object
) -> None:
    """Let a codebook be loaded that was trained with other options.

    Missing averages are set to fit the loaded codes: with averages of other
    codes, the next step would undo the loading. State that this quantiser
    does not use is left out.
    """
    codebook = state_dict.get(f'{prefix}codebook')
    if codebook is None:
        return
    own = quantizer.state_of(codebook)
    for name in TRAINING_STATE:
        if name not in own:
            state_dict.pop(f'{prefix}{name}', None)
    for name, value in own.items():
        state_dict.setdefault(f'{prefix}{name}', value)
