"""The process of the original; test_checkpoint.py has its numbers."""

import pytest

from mmldm.converters.compvis.process import diffusion_scheduler_config
from mmldm.registry import DIFFUSION_SCHEDULERS


def test_every_key_that_is_not_said_has_the_originals_default():
    config = diffusion_scheduler_config({})
    assert config['noise_schedule'] == dict(
        type='ScaledLinearBetas', start=1e-4, end=2e-2, num_timesteps=1000
    )
    assert config['prediction'] == dict(type='EpsilonPrediction')
    assert config['loss_function'] == dict(type='L2Loss')
    assert config['loss_weighting'] == dict(type='UniformWeighting')


@pytest.mark.parametrize(
    'params, part, expected',
    [
        (
            dict(beta_schedule='cosine', cosine_s=0.1, timesteps=10),
            'noise_schedule',
            dict(type='CosineSchedule', offset=0.1, num_timesteps=10),
        ),
        (
            dict(beta_schedule='sqrt', linear_start=0.1, linear_end=0.2),
            'noise_schedule',
            dict(type='SqrtBetas', start=0.1, end=0.2, num_timesteps=1000),
        ),
        (
            dict(beta_schedule='sqrt_linear'),
            'noise_schedule',
            dict(type='LinearBetas', start=1e-4, end=2e-2, num_timesteps=1000),
        ),
        (
            dict(given_betas=(0.1, 0.2)),
            'noise_schedule',
            dict(type='CustomBetas', betas=[0.1, 0.2]),
        ),
        (dict(parameterization='x0'), 'prediction', 'SamplePrediction'),
        (dict(parameterization='v'), 'prediction', 'VelocityPrediction'),
        (dict(loss_type='l1'), 'loss_function', 'L1Loss'),
        (
            dict(original_elbo_weight=0.1),
            'loss_weighting',
            dict(type='VariationalWeighting', vlb_weight=0.1, simple_weight=1),
        ),
    ],
)
def test_what_a_config_says_arrives(params, part, expected):
    config = diffusion_scheduler_config(params)
    if isinstance(expected, str):
        expected = dict(type=expected)
    assert config[part] == expected
    DIFFUSION_SCHEDULERS.build(config).levels()  # of a length it can run


@pytest.mark.parametrize(
    'length, num_steps',
    # The original runs 53 and 8 where it is asked for 50 and 7.
    [(1000, 50), (400, 50), (90, 45), (50, 25), (2, 1), (997, 53), (37, 8)],
)
def test_samples_are_drawn_in_steps_that_the_original_runs(length, num_steps):
    config = diffusion_scheduler_config(dict(timesteps=length))
    assert config['solver'] == dict(type='DDIM', eta=0.0)
    levels = DIFFUSION_SCHEDULERS.build(config).levels()
    assert len(levels) == num_steps + 1


@pytest.mark.parametrize(
    'params, message',
    [
        (dict(timesteps=1), 'timesteps or given_betas give 1 time steps'),
        (dict(given_betas=[]), 'timesteps or given_betas give 0 time steps'),
        (dict(loss_type='l3'), "params.loss_type='l3' has no counterpart"),
        (dict(beta_schedule='line'), "only 'linear', 'sqrt_linear', 'sqrt'"),
        (dict(parameterization='mu'), "only 'eps', 'x0', 'v' have"),
    ],
)
def test_what_the_original_has_not_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        diffusion_scheduler_config(params)
