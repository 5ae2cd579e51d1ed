"""The same path from noise to a latent as by the schedulers of diffusers."""

import ast
import json
import re

import diffusers
import pytest
import torch

from mmldm.converters.diffusers.process import (
    scheduler_from_diffusers,
    scheduler_to_diffusers,
)
from mmldm.registry import DIFFUSION_SCHEDULERS

from .paths import ExactPath, Path

# Of numpy, about torch, in diffusers.
pytestmark = pytest.mark.filterwarnings('ignore:__array__:DeprecationWarning')
BETAS = dict(beta_schedule='scaled_linear', beta_start=0.0015, beta_end=0.0195)
STABLE = dict(clip_sample=False, set_alpha_to_one=False, steps_offset=1)
LEADING = dict(timestep_spacing='leading', steps_offset=1)
TRAILING = dict(timestep_spacing='trailing')
SDE = dict(algorithm_type='sde-dpmsolver++')
GIVEN = [0.001, 0.01, 0.1, 0.2] * 10
CASES = [
    ('DDIMScheduler', STABLE),
    ('DDIMScheduler', dict()),
    ('DDIMScheduler', dict(clip_sample_range=0.5, **TRAILING)),
    ('DDIMScheduler', dict(prediction_type='v_prediction', **STABLE)),
    ('DDIMScheduler', dict(prediction_type='sample', **STABLE)),
    ('DDIMScheduler', dict(beta_schedule='linear')),
    ('DDIMScheduler', dict(beta_schedule='squaredcos_cap_v2')),
    ('DDIMScheduler', dict(trained_betas=GIVEN, num_train_timesteps=40)),
    (
        'DDIMScheduler',
        dict(
            rescale_betas_zero_snr=True,
            prediction_type='v_prediction',
            clip_sample=False,
            **TRAILING,
        ),
    ),
    ('DDPMScheduler', dict(clip_sample=False)),
    ('DDPMScheduler', dict(variance_type='fixed_large')),
    ('DDPMScheduler', dict(clip_sample=False, timestep_spacing='linspace')),
    ('PNDMScheduler', dict(skip_prk_steps=True, steps_offset=1)),
    ('PNDMScheduler', dict(skip_prk_steps=True, set_alpha_to_one=True)),
    ('EulerDiscreteScheduler', dict()),
    ('EulerDiscreteScheduler', LEADING),
    ('EulerAncestralDiscreteScheduler', LEADING),
    ('HeunDiscreteScheduler', dict()),
    ('HeunDiscreteScheduler', TRAILING),
    ('DPMSolverMultistepScheduler', dict()),
    ('DPMSolverMultistepScheduler', LEADING | dict(solver_order=1)),
    ('DPMSolverMultistepScheduler', TRAILING | dict(solver_order=3)),
    ('DPMSolverMultistepScheduler', SDE),
    ('DPMSolverMultistepScheduler', dict(final_sigmas_type='sigma_min')),
    ('UniPCMultistepScheduler', LEADING),
    ('UniPCMultistepScheduler', dict(final_sigmas_type='sigma_min')),
    ('DPMSolverSinglestepScheduler', dict(lower_order_final=True)),
]
# Levels spaced in noise: what our grid measures.
SPACED = [
    ('EulerDiscreteScheduler', 'karras_sigmas', 'KarrasGrid'),
    ('HeunDiscreteScheduler', 'exponential_sigmas', 'LogSNRGrid'),
    ('DPMSolverMultistepScheduler', 'lu_lambdas', 'LogSNRGrid'),
    ('DPMSolverSinglestepScheduler', 'karras_sigmas', 'KarrasGrid'),
    ('UniPCMultistepScheduler', 'beta_sigmas', 'BetaGrid'),
]


def name(value):
    return value if isinstance(value, str) else '-'.join(map(str, value))


def saved(scheduler, folder):
    """What is in its file."""
    scheduler.save_pretrained(folder)
    return json.loads((folder / 'scheduler_config.json').read_text())


def build(config, num_steps):
    return DIFFUSION_SCHEDULERS.build(config | dict(num_steps=num_steps))


@pytest.mark.parametrize('kind, options', CASES, ids=name)
def test_sampling_is_theirs(kind, options, tmp_path, monkeypatch):
    scheduler = getattr(diffusers, kind)(**BETAS | options)
    config, notes = scheduler_from_diffusers(saved(scheduler, tmp_path))
    leading = scheduler.config.get('timestep_spacing') == 'leading'
    # From 15 steps on DPM-Solver of diffusers lowers no order.
    for num_steps in (10, 20, 30) if leading else (10, 20):
        torch.testing.assert_close(
            Path().ours(build(config, num_steps)),
            Path().theirs(scheduler, num_steps, monkeypatch),
            rtol=2e-4,
            atol=2e-4,
        )
    trailing = kind == 'DDIMScheduler' and options | TRAILING == options
    assert len(notes) == trailing  # of numbers of steps that do not divide T


@pytest.mark.parametrize(
    'kind', ['EulerDiscreteScheduler', 'EulerAncestralDiscreteScheduler']
)
@pytest.mark.parametrize('num_steps', [20, 30, 50])
def test_sampling_from_pure_noise_is_theirs(
    kind, num_steps, tmp_path, monkeypatch
):
    """Theirs begins with 2^-12 of signal, ours with none."""
    scheduler = getattr(diffusers, kind)(
        rescale_betas_zero_snr=True, prediction_type='v_prediction', **BETAS
    )
    config, _ = scheduler_from_diffusers(saved(scheduler, tmp_path))
    torch.testing.assert_close(
        Path().ours(build(config, num_steps)),
        Path().theirs(scheduler, num_steps, monkeypatch),
        rtol=2e-3,
        atol=2e-3,
    )


@pytest.mark.parametrize('kind, key, measure', SPACED)
@pytest.mark.parametrize('schedule', ['scaled_linear', 'squaredcos_cap_v2'])
def test_levels_spaced_in_noise_are_theirs(
    kind, key, measure, schedule, monkeypatch
):
    """And there and back they are the same."""
    content = dict(_class_name=kind, beta_schedule=schedule)
    content |= {f'use_{key}': True, 'prediction_type': 'v_prediction'}
    config, notes = scheduler_from_diffusers(content, 12)
    assert notes == []
    assert config['time_grid']['measure'] == dict(type=measure)
    back, notes = scheduler_to_diffusers(config)
    assert (back['_class_name'], notes) == (kind, [])
    scheduler = build(config, 12)
    for found in (content, back):
        own = getattr(diffusers, kind)(**without_name(found))
        ours = ExactPath(scheduler).ours(scheduler)
        theirs = ExactPath(scheduler).theirs(own, 12, monkeypatch)
        assert (ours - theirs).abs().max() / theirs.abs().max() < 1e-3


@pytest.mark.parametrize('kind, options', CASES, ids=name)
def test_where_sampling_starts_is_theirs(kind, options, tmp_path):
    """Their pipelines multiply noise by ``init_noise_sigma``."""
    scheduler = getattr(diffusers, kind)(**BETAS | options)
    config, _ = scheduler_from_diffusers(saved(scheduler, tmp_path))
    scheduler.set_timesteps(10)
    theirs = float(scheduler.init_noise_sigma)
    ours = build(config, 10)
    first = ours.levels()[0]
    if 'Discrete' in kind:
        theirs = theirs * float(first.alpha)
    found = ours.start(torch.ones((), dtype=torch.float64), first)
    assert float(found) == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize('kind, options', CASES, ids=name)
def test_there_and_back_no_key_changes(kind, options, tmp_path):
    theirs = saved(getattr(diffusers, kind)(**BETAS | options), tmp_path)
    config, _ = scheduler_from_diffusers(theirs)
    back, notes = scheduler_to_diffusers(config)
    assert notes == []
    assert back['_class_name'] == kind
    found = saved(getattr(diffusers, kind)(**without_name(back)), tmp_path)
    if 'trained_betas' in options or 'squared' in str(options):
        unread = ['beta_start', 'beta_end', 'beta_schedule']
        unread = unread[: 3 if 'trained_betas' in options else 2]
        theirs |= dict.fromkeys(unread)
        found |= dict.fromkeys(unread)
    assert found == theirs


def without_name(config):
    return {k: v for k, v in config.items() if k != '_class_name'}


OURS = dict(
    type='DiffusionScheduler',
    noise_schedule=dict(type='ScaledLinearBetas'),
    prediction=dict(type='EpsilonPrediction'),
    loss_weighting=dict(type='UniformWeighting'),
    timestep_sampler=dict(type='UniformTimesteps'),
    time_grid=dict(type='LeadingGrid'),
    solver=dict(type='DDIM'),
    num_steps=20,
)
LOG_SNR = dict(type='LogSNRGrid')
COMPVIS = dict(type='CompVisGrid')
FROM_NOISE = dict(type='LeadingGrid', unit_start=True)
TRAILED = dict(type='TrailingGrid')


@pytest.mark.parametrize(
    'change, kind',
    [
        (dict(), 'DDIMScheduler'),
        (dict(time_grid=dict(type='LeadingGrid', offset=0)), 'DDIMScheduler'),
        (dict(time_grid=COMPVIS), 'DDIMScheduler'),
        (dict(time_grid=TRAILED), 'DDIMScheduler'),
        (dict(solver=dict(type='DDIM', clip=0.4)), 'DDIMScheduler'),
        (
            dict(
                time_grid=COMPVIS, solver=dict(type='PLMS', coordinates='ve')
            ),
            'PNDMScheduler',
        ),
        (
            dict(
                solver=dict(type='DDPM', posterior=1.0),
                time_grid=dict(type='LeadingGrid', offset=0),
            ),
            'DDPMScheduler',
        ),
        (dict(solver=dict(type='DDPM')), 'DDPMScheduler'),
        # The orders of its steps are theirs.
        (
            dict(solver=dict(type='UniPC'), time_grid=TRAILED),
            'UniPCMultistepScheduler',
        ),
        (dict(solver=dict(type='Euler')), 'EulerDiscreteScheduler'),
        (
            dict(solver=dict(type='Heun', coordinates='ve')),
            'HeunDiscreteScheduler',
        ),
        (
            dict(solver=dict(type='EulerAncestral'), time_grid=TRAILED),
            'EulerAncestralDiscreteScheduler',
        ),
        (
            dict(
                solver=dict(type='DPMSolverPP', lower_order_final=False),
                time_grid=TRAILED,
            ),
            'DPMSolverMultistepScheduler',
        ),
        (
            dict(
                solver=dict(type='UniPC', lower_order_final=True),
                time_grid=TRAILED,
            ),
            'UniPCMultistepScheduler',
        ),
        (
            dict(
                noise_schedule=dict(
                    type='SqrtBetas', start=1e-4, end=0.01, num_timesteps=100
                ),
                time_grid=FROM_NOISE,
            ),
            'DDIMScheduler',
        ),
        (
            dict(
                noise_schedule=dict(type='CosineSchedule', offset=0.1),
                time_grid=FROM_NOISE,
            ),
            'DDIMScheduler',
        ),
    ],
)
def test_ours_is_drawn_the_same_there(change, kind, monkeypatch):
    config = OURS | change
    theirs, notes = scheduler_to_diffusers(config)
    assert (theirs['_class_name'], notes) == (kind, [])
    scheduler = getattr(diffusers, kind)(**without_name(theirs))
    torch.testing.assert_close(
        Path().ours(build(config, 20)),
        Path().theirs(scheduler, 20, monkeypatch),
        rtol=2e-4,
        atol=2e-4,
    )


@pytest.mark.parametrize(
    'change, note',
    [
        (
            dict(
                time_grid=dict(type='EqualErrorGrid'),
                solver=dict(type='IPNDM', order=3),
            ),
            "IPNDM on EqualErrorGrid, .* is not in diffusers.*type': 'DDIM'",
        ),
        (dict(time_grid=LOG_SNR), 'DDIM on LogSNRGrid'),
        (dict(solver=dict(type='Heun')), 'Heun on LeadingGrid'),
        (
            dict(solver=dict(type='DDPM', posterior=1.0)),
            'DDPM on LeadingGrid',
        ),
        (dict(solver=dict(type='DPMSolverPP', order=3)), 'DPMSolverPP on Lea'),
        (dict(solver=dict(type='Euler', churn=1.0)), 'Euler on LeadingGrid'),
        (dict(num_steps=30), 'DDIM on LeadingGrid'),
        (dict(time_grid=TRAILED, num_steps=30), 'DDIM on TrailingGrid'),
        (
            dict(
                noise_schedule=dict(
                    type='ZeroTerminalSNR',
                    noise_schedule=dict(type='ScaledLinearBetas'),
                ),
                prediction=dict(type='VelocityPrediction'),
                solver=dict(type='PLMS'),
            ),
            'PLMS on LeadingGrid',
        ),
    ],
)
def test_what_diffusers_samples_otherwise_is_noted(change, note, monkeypatch):
    """And here, as the note says, it is drawn the same."""
    config = OURS | change
    theirs, (found,) = scheduler_to_diffusers(config)
    assert re.match(note, found)
    same = dict(
        solver=dict(type='DDIM'),
        time_grid=dict(type='DiffusersGrid', offset=1, to_clean=False),
    )
    assert str(same['time_grid']) in found
    scheduler = diffusers.DDIMScheduler(**without_name(theirs))
    torch.testing.assert_close(
        Path().ours(build(config | same, 30)),
        Path().theirs(scheduler, 30, monkeypatch),
        rtol=2e-4,
        atol=2e-4,
    )


@pytest.mark.parametrize(
    'grid, spacing', [('LeadingGrid', 'leading'), ('TrailingGrid', 'trailing')]
)
def test_a_start_from_less_noise_is_noted(grid, spacing, monkeypatch):
    """And here, as the note says, it is drawn the same."""
    config = OURS | dict(
        noise_schedule=dict(
            type='ScaledLinearBetas', start=0.00085, end=0.012
        ),
        time_grid=dict(type=grid),
        num_steps=10,
    )
    theirs, (note,) = scheduler_to_diffusers(config)
    first = build(config, 10).levels()[0]
    assert 'deviation 1.0000 in' in note
    assert f'this model from {first.sigma:.4f}' in note
    same = ast.literal_eval(note[note.index('{') : note.index('}') + 1])
    assert (same['type'], same['spacing']) == ('DiffusersGrid', spacing)
    scheduler = diffusers.DDIMScheduler(**without_name(theirs))
    found, drawn = (
        ExactPath(build(each, 10)).ours(build(each, 10))
        for each in (config, config | dict(time_grid=same))
    )
    there = ExactPath(build(config, 10)).theirs(scheduler, 10, monkeypatch)
    torch.testing.assert_close(drawn, there, rtol=2e-4, atol=2e-4)
    assert (found - there).abs().max() > 1e-3


@pytest.mark.parametrize('solver', ['Euler', 'EulerAncestral', 'Heun'])
def test_where_inputs_are_not_scaled_none_is_in_sigma(solver):
    options = dict(coordinates='ve') if solver == 'Heun' else {}
    config = OURS | dict(solver=dict(type=solver, **options))
    assert scheduler_to_diffusers(config)[1] == []
    theirs, (note,) = scheduler_to_diffusers(config, scales_input=False)
    assert theirs['_class_name'] == 'DDIMScheduler'
    assert note.startswith(f'{solver} on LeadingGrid, of this model, is not')


def test_an_eta_is_noted():
    config = OURS | dict(solver=dict(type='DDIM', eta=1.0))
    theirs, (note,) = scheduler_to_diffusers(config)
    assert theirs['_class_name'] == 'DDIMScheduler'
    assert note == 'eta=1.0 is not in its file: give it in the call'


@pytest.mark.parametrize(
    'kind, options, note',
    [
        (
            'LMSDiscreteScheduler',
            {},
            'LMSDiscreteScheduler has no counterpart',
        ),
        ('DEISMultistepScheduler', {}, 'sampling is by DDIM'),
        ('PNDMScheduler', {}, 'skip_prk_steps=False has no counterpart: samp'),
        (
            'DPMSolverMultistepScheduler',
            dict(solver_type='heun'),
            "solver_type='heun' has no counterpart: sampling is as with 'mid",
        ),
        (
            'UniPCMultistepScheduler',
            dict(rescale_betas_zero_snr=True, prediction_type='v_prediction'),
            'begins with 2^-12 of signal',
        ),
        (
            'EulerDiscreteScheduler',
            dict(final_sigmas_type='sigma_min'),
            "final_sigmas_type='sigma_min' has no counterpart: sampling is as",
        ),
        (
            'DDIMScheduler',
            dict(timestep_spacing='linspace'),
            'here each step leads to the next time',
        ),
    ],
)
def test_sampling_that_ours_has_not_is_noted(kind, options, note, tmp_path):
    scheduler = getattr(diffusers, kind)(**BETAS, **options)
    config, (found,) = scheduler_from_diffusers(saved(scheduler, tmp_path))
    assert note in found
    expected = dict(type='ScaledLinearBetas', start=0.0015, end=0.0195)
    expected |= dict(num_timesteps=1000)
    schedule = config['noise_schedule']
    assert schedule.get('noise_schedule', schedule) == expected
    build(config, 20).levels()


def test_a_file_of_2022():
    """With keys that diffusers no longer reads, and without newer ones."""
    config, notes = scheduler_from_diffusers(
        dict(
            _class_name='DDIMScheduler',
            _diffusers_version='0.1.2',
            clip_sample=False,
            num_train_timesteps=1000,
            tensor_format='np',
            timestep_values=None,
            trained_betas=None,
            **BETAS,
        )
    )
    assert notes == []
    assert config['time_grid'] == dict(
        type='DiffusersGrid', spacing='leading', offset=0, to_clean=True
    )
    assert config['solver'] == dict(type='DDIM')
    assert config['num_steps'] == 50


@pytest.mark.parametrize(
    'theirs, message',
    [
        (dict(), '_class_name is missing'),
        (
            dict(_class_name='FlowMatchEulerDiscreteScheduler'),
            r'is a scheduler without betas \(latents are those of rectified',
        ),
        (
            dict(_class_name='EDMEulerScheduler'),
            r'without betas \(the network is given log\(sigma\) / 4',
        ),
        (
            dict(_class_name='DEISMultistepScheduler', thresholding=True)
            | BETAS,
            'DEISMultistepScheduler.thresholding=True clips .* set it to Fal',
        ),
        (
            dict(_class_name='UniPCMultistepScheduler', use_flow_sigmas=True),
            'use_flow_sigmas=True is for models of rectified flow',
        ),
        (
            dict(
                _class_name='EulerDiscreteScheduler',
                timestep_type='continuous',
            ),
            "timestep_type='continuous' gives the network log",
        ),
        (
            dict(_class_name='DDPMScheduler', beta_schedule='sigmoid'),
            "DDPMScheduler.beta_schedule='sigmoid' has no counterpart",
        ),
        (
            dict(_class_name='DDIMScheduler', prediction_type='flow'),
            "DDIMScheduler.prediction_type='flow' has no counterpart",
        ),
        (
            dict(_class_name='DDIMScheduler', trained_betas=GIVEN),
            'trained_betas has 40 numbers, but num_train_timesteps=1000',
        ),
    ],
)
def test_a_model_without_counterpart_is_refused(theirs, message):
    with pytest.raises(ValueError, match=message):
        scheduler_from_diffusers(theirs)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(noise_schedule=dict(type='RectifiedFlow')), 'Flow.* has no bet'),
        (
            dict(prediction=dict(type='EDMPrediction')),
            'EDMPrediction.* has no',
        ),
        (
            dict(variance=dict(type='LearnedVariance')),
            'diffusion_scheduler.variance=LearnedVariance has no counterpart',
        ),
    ],
)
def test_what_diffusers_has_not_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        scheduler_to_diffusers(OURS | change)
