"""No child of a config loses hooks without being told."""

import pytest
from mmengine.config import Config

STOPPING = [
    dict(type='mmengine.EarlyStoppingHook', monitor='loss', rule='less')
]


def kinds(runner):
    return {type(hook).__name__ for hook in runner.hooks}


def test_own_hooks_are_added_to_those_of_the_config(build_runner):
    runner = build_runner(custom_hooks=STOPPING)
    wanted = {'AddressedSeedHook', 'ModuleEMAHook', 'LatentScaleHook'}
    assert kinds(runner) > wanted | {'EarlyStoppingHook'}


def test_a_child_of_celeba_keeps_average_and_seed(tmp_path):
    path = tmp_path / 'child.py'
    path.write_text(
        "_base_ = 'mmldm::ldm/ldm_vq-f4_1xb48-410k_celebahq-256x256.py'\n"
        f'custom_hooks = {STOPPING}\n'
    )
    hooks = Config.fromfile(path).default_hooks
    assert hooks.ema.type == 'ModuleEMAHook'
    assert hooks.seed.type == 'AddressedSeedHook'


@pytest.mark.parametrize('name', ['seed', 'ema'])
def test_a_hook_that_got_lost_is_named(build_runner, training_config, name):
    rest = dict(training_config.default_hooks)
    del rest[name]
    runner = build_runner(default_hooks=dict(_delete_=True, **rest))
    message = rf'default_hooks.{name} is missing.*{name}=None'
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert runner.record.losses == {}


@pytest.mark.parametrize('name', ['seed', 'ema'])
def test_a_hook_is_left_out_by_name(build_runner, name):
    options = {f'default_hooks__{name}': None, 'train_cfg__max_iters': 1}
    runner = build_runner(**options)
    runner.train()
    assert sorted(runner.record.losses) == [0]


def test_another_average_will_do(build_runner):
    average = dict(type='mmengine.EMAHook')
    runner = build_runner(
        default_hooks__ema=dict(_delete_=True, **average),
        train_cfg__max_iters=1,
    )
    runner.train()
    assert 'EMAHook' in kinds(runner)


def test_a_first_stage_needs_no_average(build_runner, adversarial_training):
    runner = build_runner(
        **adversarial_training,
        default_hooks__ema=None,
        train_cfg__max_iters=1,
    )
    runner.train()
    assert sorted(runner.record.losses) == [0]
