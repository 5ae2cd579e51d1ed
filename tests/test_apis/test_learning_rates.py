"""Learning rates of a training that is not run."""

import math

import pytest
from mmengine.config import Config

from mmldm.apis.learning_rates import learning_rates

ADAM = dict(optimizer=dict(type='Adam', lr=2.0))


def config(schedules, **keys):
    keys = dict(optim_wrapper=ADAM, train_cfg=dict(max_iters=100)) | keys
    return Config(dict(keys, param_scheduler=schedules))


def test_a_warm_up_and_a_cosine():
    schedules = [
        dict(type='LinearLR', start_factor=0.5, by_epoch=False, end=10),
        dict(type='CosineAnnealingLR', by_epoch=False, begin=10, end=100),
    ]
    rates = dict(learning_rates(config(schedules))[''])
    assert rates[1] == 1.0
    assert rates[11] == pytest.approx(2)
    middle = 2 * (1 + math.cos(math.pi * 45 / 90)) / 2
    assert rates[56] == pytest.approx(middle)


def test_a_schedule_without_an_end_ends_with_the_training():
    cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=10)
    rates = [
        learning_rates(config([dict(cosine, **end)]))['']
        for end in ({}, dict(end=100))
    ]
    assert rates[0] == rates[1]
    assert rates[0][-1][1] < 0.01


def test_every_optimizer_has_its_curve():
    wrappers = dict(constructor='X', one=ADAM, two=ADAM)
    schedules = dict(
        two=[dict(type='ConstantLR', factor=0.5, by_epoch=False, end=1000)]
    )
    curves = learning_rates(config(schedules, optim_wrapper=wrappers))
    assert curves['one'][0] == (1, 2.0)
    assert curves['two'][0] == (1, 1.0)


@pytest.mark.parametrize(
    'cfg, message',
    [
        (config([], train_cfg=None), 'no train_cfg'),
        (config([], train_cfg=dict(max_epochs=3)), 'max_iters'),
        (config([dict(type='LinearLR', by_epoch=True)]), 'by_epoch=False'),
    ],
)
def test_what_cannot_be_known_is_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        learning_rates(cfg)
