"""The knobs that knobs.py compares, as changes of a base config."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from digits import FIRST, SECOND

SCHEDULER = 'model.diffusion_scheduler'
GUIDANCE = 'model.guidance'
SHARP = 'mmldm::ldm/ldm_kl-f4-d12_1xb32-4k_photographs-64x64.py'
BASE = 'base'

Options = dict[str, Any]


@dataclass(frozen=True)
class Knob:
    """One change of a base config.

    Args:
        title: Name of its row.
        options: Changed keys of the config, as of ``--cfg-options``.
        trains: Whether it needs a training; otherwise it samples by the
            weights of the base.
        average: Decay of the average whose weights are judged; None for the
            one of the config.
        guided: Whether an early checkpoint of the base is the guide.
        first_stage: Changed keys of the first stage's config.
    """

    title: str
    options: Options = field(default_factory=dict)
    trains: bool = False
    average: float | None = None
    guided: bool = False
    first_stage: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A data set with its base config, its judges and its knobs.

    Args:
        config: The base config.
        knobs: Knobs by name; the base comes first.
        metrics: Columns of the table: title by name of the metric. A title
            that begins with 'FD' is a distance, of which less is better.
        judges: Metrics beside those of the config; they compare with the
            training's images.
        iterations: Length of a training.
        steps: Number of sampling steps.
        options: Changed keys of the config, for all knobs.
        first_stage: Config of the first stage that is trained if none is
            given; None to expect one.
        crops: Number of random crops that replace the training's images, as
            latents of random crops cannot be cached; None for the images.
    """

    config: str
    knobs: dict[str, Knob]
    metrics: dict[str, str]
    judges: tuple[Options, ...]
    iterations: int
    steps: int
    options: Options = field(default_factory=dict)
    first_stage: str | None = None
    crops: int | None = None


def whole(kind: str, **arguments: Any) -> Options:
    """A part of a config that replaces the one of the base."""
    return dict(_delete_=True, type=kind, **arguments)


TRAINED = {
    BASE: Knob('the base', trains=True),
    'eps': Knob(
        'noise prediction (eps) instead of v',
        {f'{SCHEDULER}.prediction': whole('EpsilonPrediction')},
        trains=True,
    ),
    'min-snr': Knob(
        'min-SNR weights, gamma 5',
        {f'{SCHEDULER}.loss_weighting': whole('MinSNRWeighting', gamma=5.0)},
        trains=True,
    ),
    'logit-normal': Knob(
        'logit-normal times',
        {f'{SCHEDULER}.timestep_sampler.type': 'LogitNormalTimesteps'},
        trains=True,
    ),
    'edm': Knob(
        'EDM preconditioning',
        {
            f'{SCHEDULER}.noise_schedule': whole('VarianceExploding'),
            f'{SCHEDULER}.prediction': whole('EDMPrediction', data_std=1.0),
            # P_mean = -1.2 of the paper is for data with a deviation of 0.5;
            # latents have 1, so that -1.2 + log 2 = -0.507 takes its place.
            f'{SCHEDULER}.timestep_sampler.type': 'NormalTimesteps',
            f'{SCHEDULER}.timestep_sampler.mean': 0.5386,
            f'{SCHEDULER}.time_grid': whole('KarrasGrid'),
        },
        trains=True,
    ),
    'flow': Knob(
        'rectified flow, logit-normal times',
        {
            f'{SCHEDULER}.noise_schedule': whole('RectifiedFlow'),
            f'{SCHEDULER}.prediction': whole('FlowPrediction'),
            f'{SCHEDULER}.timestep_sampler.type': 'LogitNormalTimesteps',
        },
        trains=True,
    ),
}
AUTOGUIDANCE = Knob(
    'autoguidance, scale 2',
    {GUIDANCE: whole('AutoGuidance', scale=2.0)},
    guided=True,
)
AVERAGES = {
    'no-average': Knob('no average of the weights', average=0.0),
    'short-average': Knob('average with decay 0.9', average=0.9),
}
FD_PATCHES = {'frechet/distance': 'FD, patches'}
FD_LITE = {'efficientnet_lite0/fd': 'FD, Lite0'}

TASKS = {
    'digits': Task(
        config=SECOND,
        knobs={
            **TRAINED,
            'eq-vae': Knob(
                'EQ-VAE first stage',
                trains=True,
                first_stage={'model.equivariance': dict(type='Equivariance')},
            ),
            'no-guidance': Knob(
                'no guidance', {GUIDANCE: whole('NoGuidance')}
            ),
            'interval': Knob(
                'guidance for sigma / alpha in 0.3 to 5',
                {f'{GUIDANCE}.interval': (0.3, 5.0)},
            ),
            'autoguidance': AUTOGUIDANCE,
            **AVERAGES,
        },
        metrics={'class_accuracy': 'accuracy', **FD_LITE, **FD_PATCHES},
        judges=(dict(type='FrechetDistance'), dict(type='GeneratedImages')),
        iterations=240,
        steps=10,
        first_stage=FIRST,
    ),
    'photographs': Task(
        config=SHARP,
        knobs={
            **TRAINED,
            'autoguidance': AUTOGUIDANCE,
            'autoguidance-interval': Knob(
                'autoguidance for sigma / alpha in 0.3 to 5',
                {
                    GUIDANCE: whole(
                        'AutoGuidance', scale=2.0, interval=(0.3, 5.0)
                    )
                },
                guided=True,
            ),
            **AVERAGES,
        },
        metrics={**FD_LITE, **FD_PATCHES},
        judges=(dict(type='FrechetDistance'), dict(type='GeneratedImages')),
        iterations=400,
        steps=12,
        options={
            # The knobs are about the denoising error alone.
            'model.extra_losses': [],
            # More and smaller steps: the training is short.
            'train_dataloader.global_batch_size': 16,
            'test_dataloader.dataset': whole(
                'GenerationRequests',
                num_samples=1,
                size=64,
                pipeline=[dict(type='PackInputs')],
            ),
            'test_evaluator': [],
            'default_hooks.reference': None,
        },
        crops=4096,
    ),
}
