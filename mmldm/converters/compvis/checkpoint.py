"""Complete checkpoints of the original code of Rombach et al. 2022.

Names are those of github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Callable, Mapping, Set
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmldm.utils.checkpoint import few

from ..key_mapping import Config, Weights, part_of, under
from .average import choose_weights
from .conditioner import FIRST_STAGE
from .conditioner_weights import conditioner_weights
from .denoiser import UNET_KEYS
from .first_stage import FIRST_STAGE_KEYS, LEFT_OUT
from .first_stage_aliases import first_stage_part
from .left_out import (
    EXTRAS,
    FIRST,
    SECOND,
    left_out,
    of_diffusion,
    of_first_stage,
)
from .model import model_config
from .process import SCHEDULE, check_schedule

SCALE, LOG_VARIANCE = 'scale_factor', 'logvar'


class Part(NamedTuple):
    """A part of a diffusion model's checkpoint.

    Attributes:
        start: Beginning of the names of its weights.
        read: Converts its weights, given our config of the part.
        missing: Message for a checkpoint without the part.
    """

    start: str
    read: Callable[[Weights, Config], dict[str, Tensor]]
    missing: str


PARTS = {
    'denoiser': Part(
        'model.diffusion_model.',
        UNET_KEYS.read,
        'it holds no denoiser (model.diffusion_model.*): give the checkpoint '
        'of a whole latent diffusion model',
    ),
    'autoencoder': Part(
        FIRST,
        FIRST_STAGE_KEYS.read,
        'it holds no first stage (first_stage_model.*): add the checkpoint '
        'of the one that it was trained with, --first-stage FILE',
    ),
    'conditioner': Part(
        SECOND,
        conditioner_weights,
        'it holds nothing that encodes conditions (cond_stage_model.*), '
        'though params.cond_stage_config asks for it: give the checkpoint of '
        'the whole model',
    ),
}


class Converted(NamedTuple):
    """A model of ours, and the tensors of the original that it does not need.

    Attributes:
        config: Config of the editor.
        weights: All weights that the editor loads, by name.
        left_out: Names of the original's tensors that are not needed, by
            reason.
    """

    config: dict[str, Any]
    weights: dict[str, Tensor]
    left_out: dict[str, list[str]]


def convert_compvis(
    original: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    which: str | None = None,
) -> Converted:
    """Convert a model of the original and its checkpoint.

    Args:
        original: Config of the model, see :func:`model_config`.
        weights: The ``state_dict`` of the checkpoint.
        which: See :func:`choose_weights`.

    Raises:
        ValueError: If the config cannot be expressed, or a weight is
            missing, unknown or has another shape. The message has the
            names in both systems.
    """
    config = model_config(original)
    if config['type'] == 'FirstStage':
        weights = first_stage_part(weights)
        chosen = choose_weights(weights, which, '', tuple(LEFT_OUT))
        ours = _convert_part('autoencoder', chosen, config, '')
        reasons = of_first_stage('')
    else:
        chosen = choose_weights(weights, which, 'model.')
        ours = _convert_diffusion(config, original['params'], chosen)
        reasons = of_diffusion(config, original['params'])
    return Converted(config, ours, left_out(weights, chosen, reasons))


def with_first_stage(
    weights: Mapping[str, Tensor], first_stage: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Add the first stage of another checkpoint to a diffusion model's.

    Args:
        weights: Checkpoint of the diffusion model. A first stage in it is
            replaced.
        first_stage: Checkpoint of a first stage, or of a diffusion model
            that contains one.
    """
    added = under(FIRST, first_stage_part(first_stage))
    kept = {n: w for n, w in weights.items() if not n.startswith(FIRST)}
    return kept | added


def _convert_diffusion(
    config: dict[str, Any],
    params: Mapping[str, Any],
    weights: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Convert all parts; ``config`` gets the scale of latents."""
    learned = 'log_variance' in config
    _check_known(weights, SCHEDULE | {SCALE, *[LOG_VARIANCE] * learned})
    check_schedule(weights, config['diffusion_scheduler']['noise_schedule'])
    config['autoencoder']['latent_scale'] = _latent_scale(params, weights)
    if params['cond_stage_config'] == FIRST_STAGE:
        weights = _without_second(weights)
    converted = {}
    for name, part in PARTS.items():
        converted |= _convert_part(name, weights, config, part.start)
    if learned:
        table = _log_variance(weights, params.get('timesteps', 1000))
        converted['log_variance.table'] = table
    return converted


def _check_known(weights: Mapping[str, Tensor], known: Set[str]) -> None:
    """Raise if weights belong to no part and their names are unknown."""
    starts = tuple(part.start for part in PARTS.values())
    extra = [
        name
        for name in weights
        if not name.startswith((*starts, *EXTRAS)) and name not in known
    ]
    if extra:
        raise ValueError(
            f'{few(extra)} {"has" if len(extra) == 1 else "have"} no place: '
            'names of the parts of a latent '
            f'diffusion model start with {", ".join(starts)}. Leave weights '
            'out that are not needed, --ignore NAME'
        )


def _log_variance(weights: Mapping[str, Tensor], length: int) -> Tensor:
    """The table of learned log-variances.

    Raises:
        ValueError: If it is missing or has another length.
    """
    table = weights.get(LOG_VARIANCE)
    if table is None or table.shape != (length,):
        found = (
            'is missing' if table is None else f'has {table.numel()} values'
        )
        raise ValueError(
            f'{LOG_VARIANCE} {found}, but params.learn_logvar=True and '
            f'timesteps={length} ask for {length}: take its own yaml file'
        )
    return table


def _convert_part(
    part: str,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    start: str,
) -> dict[str, Tensor]:
    """Convert the weights of one part; names are those of the whole model."""
    theirs = part_of(weights, start)
    try:
        ours = PARTS[part].read(theirs, config[part])
    except ValueError as error:
        if not theirs:
            raise ValueError(PARTS[part].missing) from error
        where = f'{start}*: ' if start else ''
        raise ValueError(f'{where}{error}') from error
    return under(f'{part}.', ours)


def _latent_scale(
    params: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> float:
    """The measured scale of latents, or that of the config.

    Raises:
        ValueError: If a measured scale is missing, or there are several.
    """
    if SCALE in weights:
        if weights[SCALE].numel() != 1:
            raise ValueError(
                f'{SCALE} of the checkpoint has {weights[SCALE].numel()} '
                'values, but the original divides all latents by one'
            )
        return weights[SCALE].item()
    if params.get('scale_by_std', False):
        raise ValueError(
            'params.scale_by_std=True, but the checkpoint holds no '
            'scale_factor: take one that was trained for a step or more, or '
            'write scale_by_std: false and scale_factor: NUMBER'
        )
    return params.get(SCALE, 1.0)


def _without_second(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without a second copy of the first stage.

    Raises:
        ValueError: If that is another first stage.
    """
    for name, weight in weights.items():
        if not name.startswith(SECOND):
            continue
        twin = weights.get(FIRST + name.removeprefix(SECOND))
        if twin is None or not torch.equal(weight, twin):
            raise ValueError(
                f'{name} is not the same as {FIRST}*, though '
                f'params.cond_stage_config is {FIRST_STAGE!r}: an image as '
                'condition must be encoded by the first stage'
            )
    return {n: w for n, w in weights.items() if not n.startswith(SECOND)}
