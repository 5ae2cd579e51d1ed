"""Options of a codebook, and its state besides the codes."""

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
    quantizer.known_initialized = False
    codebook = state_dict.get(f'{prefix}codebook')
    if codebook is None:
        return
    own = quantizer.state_of(codebook)
    for name in TRAINING_STATE:
        if name not in own:
            state_dict.pop(f'{prefix}{name}', None)
    for name, value in own.items():
        state_dict.setdefault(f'{prefix}{name}', value)


def check_weights(
    beta: float, legacy_beta: bool, ema_decay: float | None
) -> None:
    """Raise unless the options of losses and averages fit each other."""
    if beta < 0:
        raise ValueError(
            f'beta={beta} would push vectors off their codes: set beta >= 0'
        )
    if ema_decay is None:
        return
    if not 0 < ema_decay < 1:
        raise ValueError(
            f'ema_decay={ema_decay} is not in (0, 1): set ema_decay=0.99, or '
            'None to train the codebook'
        )
    if legacy_beta:
        raise ValueError(
            'legacy_beta=True weighs the codebook term, which '
            f'ema_decay={ema_decay} replaces: leave out one of them'
        )
