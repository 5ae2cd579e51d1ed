"""What a checkpoint holds of a codebook besides its codes."""

from torch import nn

# Buffers of the remedies for collapse; a decoder needs none of them.
TRAINING_STATE = ('ema_size', 'ema_sum', 'initialized', 'idle')


def fit_state(
    quantizer: nn.Module, state_dict: dict, prefix: str, *_: object
) -> None:
    """A codebook that was trained otherwise, or elsewhere, keeps its codes.

    With the averages of the codes before, the next step would undo it. What
    it was trained with and this quantiser does not use is left out.
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
