import math

import pytest

from mmldm.converters.diffusers.process import scheduler_from_diffusers

NUMBERS = ('num_train_timesteps', 'beta_start', 'beta_end', 'steps_offset')


@pytest.mark.parametrize('key', NUMBERS)
@pytest.mark.parametrize(
    'value', [None, [3], '3', {}, True, -1, math.nan, math.inf]
)
def test_what_is_no_number_is_named(key, value):
    theirs = {'_class_name': 'DDIMScheduler', key: value}
    with pytest.raises(ValueError, match=f'DDIMScheduler.{key}='):
        scheduler_from_diffusers(theirs)


@pytest.mark.parametrize(
    'key, value',
    [
        ('beta_schedule', None),
        ('beta_schedule', ['linear']),
        ('prediction_type', 3),
        ('trained_betas', 3),
        ('trained_betas', [0.1, 'a']),
        ('clip_sample', 'yes'),
        ('clip_sample_range', None),
        ('timestep_spacing', 'even'),
        ('rescale_betas_zero_snr', 1),
    ],
)
def test_what_is_of_another_kind_is_named(key, value):
    theirs = {'_class_name': 'DDIMScheduler', key: value}
    with pytest.raises(ValueError, match=f'{key}='):
        scheduler_from_diffusers(theirs)


@pytest.mark.parametrize('name', [None, 3, ['DDIMScheduler'], {}])
def test_a_class_that_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match='_class_name'):
        scheduler_from_diffusers({'_class_name': name})
