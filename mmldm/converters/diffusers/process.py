"""Schedulers of diffusers: noise and sampling, both ways.

Names and defaults are those of diffusers 0.42. The betas and the predicted
quantity define the model and must have a counterpart. The way of sampling may
be replaced, and then a note says so.
"""

from collections.abc import Collection, Mapping
from typing import Any

import torch

from mmldm.diffusion import DiffusionScheduler, DiscreteSchedule
from mmldm.diffusion.diffusers_grid import SPACINGS
from mmldm.diffusion.noise_schedules.discrete import betas_of
from mmldm.registry import DIFFUSION_SCHEDULERS

from ..key_table import UNSAID, Given, Key, KeyTable
from ..kinds import (
    BOOL,
    COUNT,
    NUMBER,
    POSITIVE,
    WORD,
    either,
    list_of,
    one_of,
)
from .levels import REMEDY, arguments
from .samplers import (
    DDIM,
    REFUSED,
    SAMPLERS,
    SCALED,
    WITHOUT_BETAS,
    Sampling,
)
from .sampling import (
    sampling_from_diffusers,
    sampling_to_diffusers,
)

PREDICTIONS = {
    'epsilon': 'EpsilonPrediction',
    'sample': 'SamplePrediction',
    'v_prediction': 'VelocityPrediction',
}
BETAS = {'linear': 'LinearBetas', 'scaled_linear': 'ScaledLinearBetas'}
# Keys of the process, and keys of sampling that need a valid kind. Defaults of
# each scheduler are in ``samplers.py``.
TABLE = KeyTable(
    Key('beta_end', '', POSITIVE, 0.02),
    Key('beta_schedule', '', WORD, 'linear'),
    Key('beta_start', '', POSITIVE, 1e-4),
    Key('num_train_timesteps', '', COUNT, 1000),
    Key('prediction_type', 'prediction.type', WORD, 'epsilon', PREDICTIONS),
    Key('rescale_betas_zero_snr', '', BOOL, False),
    Key('trained_betas', '', either(list_of(NUMBER), None), None),
    Key('algorithm_type', '', WORD, UNSAID),
    Key('clip_sample', '', BOOL, UNSAID),
    Key('clip_sample_range', '', POSITIVE, UNSAID),
    Key('final_sigmas_type', '', WORD, UNSAID),
    Key('set_alpha_to_one', '', BOOL, UNSAID),
    Key('skip_prk_steps', '', BOOL, UNSAID),
    Key('solver_order', '', COUNT, UNSAID),
    Key('steps_offset', '', either(COUNT, 0), UNSAID),
    Key('timestep_spacing', '', one_of(*SPACINGS), UNSAID),
    Key('variance_type', '', either(WORD, None), UNSAID),
    remedy=REMEDY,
    strict=False,
)
COSINE = 'squaredcos_cap_v2'


def scheduler_from_diffusers(
    theirs: Mapping[str, Any], num_steps: int = 50
) -> tuple[dict[str, Any], list[str]]:
    """The config of our diffusion scheduler for a scheduler of diffusers.

    Args:
        theirs: Content of a ``scheduler_config.json``. Keys that its
            scheduler does not read are ignored, as diffusers does.
        num_steps: Number of sampling steps, which the file does not have.

    Returns:
        Config of ``DiffusionScheduler``, and sentences about differences
        in sampling.

    Raises:
        ValueError: If there are no betas, or betas, prediction or another
            key that changes the model have no counterpart.
    """
    name = theirs.get('_class_name')
    if not isinstance(name, str):
        raise ValueError(
            "_class_name is missing in the scheduler's config: give the "
            'scheduler_config.json that diffusers saved'
        )
    own = SAMPLERS[name].defaults if name in SAMPLERS else {}
    params = TABLE.read(f'{name}.', own | theirs)
    if name not in SAMPLERS and not {'beta_schedule', 'trained_betas'} & {
        *theirs
    }:
        raise ValueError(
            f'_class_name={name!r} is a scheduler without betas{_why(name)}: '
            'only models of a noise schedule with betas can be converted'
        )
    for key, (value, why) in REFUSED.items():
        if theirs.get(key) == value:
            raise ValueError(f'{name}.{key}={value!r} {why}')
    schedule = _noise_schedule(params)
    sampling = sampling_from_diffusers(name, theirs)
    config = dict(
        type='DiffusionScheduler',
        noise_schedule=schedule,
        **params.ours,
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=sampling.time_grid,
        solver=sampling.solver,
        num_steps=min(num_steps, theirs.get('num_train_timesteps', 1000)),
    )
    return config, list(sampling.notes)


def _why(name: str) -> str:
    """A remark on the models of a scheduler without betas, if known."""
    return ''.join(
        f' ({why})'
        for start, why in WITHOUT_BETAS.items()
        if name.startswith(start)
    )


def _noise_schedule(params: Given) -> dict[str, Any]:
    schedule = _betas(params)
    if params['rescale_betas_zero_snr']:
        return dict(type='ZeroTerminalSNR', noise_schedule=schedule)
    return schedule


def _betas(params: Given) -> dict[str, Any]:
    betas, length = params['trained_betas'], params['num_train_timesteps']
    if betas is not None:
        if len(betas) != length:
            raise ValueError(
                f'{params.where}trained_betas has {len(betas)} numbers, but '
                f'num_train_timesteps={length}: set it to {len(betas)}'
            )
        return dict(type='CustomBetas', betas=list(betas))
    kind = params['beta_schedule']
    if kind == COSINE:
        return dict(type='CosineSchedule', num_timesteps=length)
    if kind not in BETAS:
        raise params.refusal(
            'beta_schedule',
            f'has no counterpart here: only {", ".join([*BETAS, COSINE])} '
            'have, or trained_betas',
        )
    return dict(
        type=BETAS[kind],
        start=params['beta_start'],
        end=params['beta_end'],
        num_timesteps=length,
    )


def scheduler_to_diffusers(
    config: Mapping[str, Any], scales_input: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """The ``scheduler_config.json`` for a diffusion scheduler of ours.

    Args:
        config: Config of ``DiffusionScheduler``.
        scales_input: Whether the pipeline scales the network's input, which
            schedulers in sigma / alpha need.

    Returns:
        The content with ``_class_name``, and sentences about differences
        in sampling.

    Raises:
        ValueError: If the noise schedule, the prediction or a learned
            variance has no counterpart.
    """
    scheduler = DIFFUSION_SCHEDULERS.build(dict(config))
    if scheduler.variance is not None:
        raise ValueError(
            'diffusion_scheduler.variance=LearnedVariance has no counterpart '
            'in the pipelines of diffusers: only models without it can be '
            'exported'
        )
    noise = _betas_to_diffusers(scheduler, config['noise_schedule'])
    kind = type(scheduler.prediction).__name__
    names = {ours: theirs for theirs, ours in PREDICTIONS.items()}
    if kind not in names:
        raise ValueError(
            f'diffusion_scheduler.prediction.type={kind!r} has no '
            f'counterpart in diffusers; these have: {", ".join(names)}'
        )
    keys = noise | dict(prediction_type=names[kind])
    unread = SCALED if not scales_input else set()
    sampling = _sampling(scheduler, config, keys, unread)
    return dict(_class_name=sampling.name, **keys, **sampling.keys), list(
        sampling.notes
    )


def _sampling(
    scheduler: DiffusionScheduler,
    config: Mapping[str, Any],
    keys: Mapping[str, Any],
    excluded: Collection[str],
) -> Sampling:
    """Our way of sampling if diffusers has it, and DDIM otherwise."""
    sampling = sampling_to_diffusers(scheduler, config, keys)
    if (
        sampling is None
        or sampling.name in excluded
        or SAMPLERS[sampling.name].lacks & {*keys}
    ):
        solver = type(scheduler.solver).__name__
        grid = type(scheduler.time_grid).__name__
        return DDIM._replace(
            notes=(
                f'{solver} on {grid}, of this model, is not in diffusers, '
                f'which will sample by {DDIM.name}: here '
                f'solver={DDIM.solver}, time_grid={DDIM.time_grid} gives the '
                'same',
            )
        )
    return sampling


def _betas_to_diffusers(
    scheduler: DiffusionScheduler, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Keys of diffusers that give these betas."""
    schedule = scheduler.noise_schedule
    kind = type(schedule).__name__
    if not isinstance(schedule, DiscreteSchedule):
        raise ValueError(
            f'diffusion_scheduler.noise_schedule.type={kind!r} has no betas, '
            'which the pipelines of diffusers for latent diffusion need: '
            'there is no counterpart'
        )
    if kind == 'ZeroTerminalSNR':
        inner = config['noise_schedule']
        given = DIFFUSION_SCHEDULERS.build(inner)
        keys = _keys_of_betas(given, inner)
        return keys | dict(rescale_betas_zero_snr=True)
    return _keys_of_betas(schedule, config)


def _keys_of_betas(
    schedule: DiscreteSchedule, config: Mapping[str, Any]
) -> dict[str, Any]:
    args = arguments(type(schedule), config)
    length = dict(num_train_timesteps=schedule.num_timesteps)
    names = {ours: theirs for theirs, ours in BETAS.items()}
    if (kind := type(schedule).__name__) in names:
        return length | dict(
            beta_schedule=names[kind],
            beta_start=args['start'],
            beta_end=args['end'],
        )
    if kind == 'CosineSchedule' and (
        (args['offset'], args['max_beta']) == (0.008, 0.999)
    ):
        return length | dict(beta_schedule=COSINE)
    if kind == 'CustomBetas':
        return length | dict(trained_betas=list(args['betas']))
    alpha = schedule(torch.arange(schedule.num_timesteps)).alpha
    alpha_bar = torch.cat([alpha.new_ones(1), alpha.square()])
    return length | dict(trained_betas=betas_of(alpha_bar).tolist())
