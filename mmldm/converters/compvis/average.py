"""The running average in checkpoints of the original code.

``ldm/modules/ema.py`` stores it under the names of the weights, without their
dots; github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

AVERAGE = 'model_ema.'
# State of the average that is no weight.
STATE = {f'{AVERAGE}decay', f'{AVERAGE}num_updates'}


def choose_weights(
    weights: Mapping[str, Tensor],
    which: str | None,
    start: str,
    left_out: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Choose between the weights of a checkpoint and their running average.

    Args:
        weights: Weights of the checkpoint, by name.
        which: 'ema' for the average, 'raw' for the weights themselves; None
            for the average if there is one, as the original samples from it.
        start: Beginning of the names of averaged weights. The names of the
            average lack it.
        left_out: Beginnings of names of weights without average.

    Raises:
        ValueError: If there is no average, or it does not fit the weights.
    """
    kept = {n: w for n, w in weights.items() if not n.startswith(AVERAGE)}
    average = {n: w for n, w in weights.items() if n not in {*kept, *STATE}}
    if which == 'ema' and not average:
        raise ValueError(
            'there is no running average (model_ema...): take the weights '
            'themselves, --weights raw; a model that was published without '
            'one may hold it as its weights'
        )
    if which == 'raw' or not average:
        return kept
    for name in list(kept):
        if not name.startswith(start):
            continue
        theirs = AVERAGE + name.removeprefix(start).replace('.', '')
        if theirs in average:
            _check_shape(theirs, average[theirs], name, kept[name])
            kept[name] = average.pop(theirs)
        elif not name.startswith(tuple(left_out)):
            raise ValueError(
                f'{theirs} is missing, the running average of {name}: take '
                'the weights themselves, --weights raw'
            )
    if average:
        raise ValueError(
            f'{min(average)} is the running average of no weight that the '
            'checkpoint has'
        )
    return kept


def _check_shape(
    theirs: str, average: Tensor, name: str, weight: Tensor
) -> None:
    if average.shape != weight.shape:
        raise ValueError(
            f'{theirs} has shape {tuple(average.shape)}, but {name}, the '
            f'weight that it averages, has {tuple(weight.shape)}'
        )
