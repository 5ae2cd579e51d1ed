"""What ``resume`` does with a config that has changed, and says of it."""

import os
import re

import pytest
import torch

from mmldm.engine.resume.config_diff import config_differences
from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint


def test_an_unchanged_config_says_nothing(resume):
    assert resume()[1] == []


CHANGES = dict(
    lr=(
        dict(optim_wrapper__optimizer__lr=5e-4),
        r'optim_wrapper.optimizer.lr=0.0005 \(checkpoint: 0.001\): taken '
        r'.* after iteration 2 is 0.000375',
    ),
    weight_decay=(
        dict(optim_wrapper__optimizer__weight_decay=0.3),
        r'weight_decay=0.3 \(checkpoint: not set\): taken',
    ),
    clip_grad=(
        dict(optim_wrapper__clip_grad=dict(max_norm=1.0)),
        r'clip_grad.max_norm=1.0 \(checkpoint: not set\): taken',
    ),
    accumulation=(
        dict(optim_wrapper__accumulative_counts=2),
        r'accumulative_counts=2 \(checkpoint: not set\): taken',
    ),
    precision=(
        dict(
            optim_wrapper__type='AutocastOptimWrapper',
            optim_wrapper__dtype='float16',
        ),
        r"type='AutocastOptimWrapper' .*dtype='float16' .*: taken",
    ),
    batch=(
        dict(train_dataloader__batch_size=2),
        r'batch_size=2 \(checkpoint: 4\).*: taken .* after the 8 images',
    ),
    seed=(
        dict(randomness__seed=5),
        r'randomness.seed=5 \(checkpoint: 3\): kept .* with seed 3',
    ),
    data=(
        dict(train_dataloader__dataset__split='test'),
        r"dataset.split='test' \(checkpoint: 'train'\).*number of training "
        r'images=\d+ .*: taken',
    ),
    dropout=(
        dict(model__denoiser__res_block__dropout=0.3),
        r'res_block.dropout=0.3 \(checkpoint: 0.1\): taken',
    ),
    solver=(
        dict(model__diffusion_scheduler__num_steps=7),
        r'num_steps=7 \(checkpoint: 2\): taken .* validation',
    ),
    loss=(
        dict(
            model__diffusion_scheduler__loss_weighting=dict(
                _delete_=True, type='MinSNRWeighting'
            )
        ),
        r"loss_weighting.type='MinSNRWeighting' .*: taken",
    ),
)


@pytest.mark.parametrize('kind', CHANGES)
def test_a_change_is_said_in_one_line(resume, kind):
    options, expected = CHANGES[kind]
    _, said = resume(**options)
    assert len(said) == 1
    assert re.search(expected, said[0]), said[0]


def test_what_does_not_change_the_training_is_counted(resume):
    _, said = resume(
        default_hooks__logger__interval=5,
        train_dataloader__num_workers=1,
        log_processor__window_size=3,
    )
    assert said == [
        '--resume: 3 other keys differ, which do not change the training'
    ]


def test_settings_of_the_optimizer_are_those_of_the_config(resume):
    """Its averages stay those of the checkpoint."""
    runner, _ = resume(
        optim_wrapper__optimizer__weight_decay=0.3,
        optim_wrapper__optimizer__betas=(0.5, 0.9),
    )
    group = runner.optim_wrapper.param_groups[0]
    assert group['weight_decay'] == 0.3
    assert tuple(group['betas']) == (0.5, 0.9)
    state = runner.optim_wrapper.state_dict()['state']
    assert {s['step'].item() for s in state.values()} == {2}


def test_the_advice_after_a_loss_that_is_not_finite_helps(resume):
    """A lower rate, as the message says, and without a schedule."""
    runner, said = resume(
        param_scheduler=None, optim_wrapper__optimizer__lr=1e-5
    )
    assert runner.optim_wrapper.param_groups[0]['lr'] == 1e-5
    assert 'is 1e-05' in said[0]


@pytest.mark.parametrize('size', [2, 3])
def test_another_batch_size_goes_on_in_the_same_order(
    build_runner, first, size
):
    """No image is skipped or repeated, and the next resume knows it."""

    def images(**options):
        seen = []

        runner = build_runner(**options)
        model = runner.model
        real = type(model).train_step

        def train_step(data, optim_wrapper):
            seen.extend(s.address for s in data['data_samples'])
            return real(model, data, optim_wrapper)

        model.train_step = train_step
        runner.train()
        return [tuple(a) for a in seen]

    whole = images(work_dir=first.work_dir + '-whole')
    options = dict(resume=True, train_dataloader__batch_size=size)
    parts = images(**options, train_cfg__max_iters=4)
    parts += images(**options, train_cfg__max_iters=6)
    assert parts == whole[8 : 8 + 4 * size]


@pytest.mark.parametrize(
    'name, value, expected',
    [
        ('dataset_size', 7, 'number of training images='),
        ('dataset_meta', dict(classes=['a']), 'classes of training images='),
        ('global_batch_size', 8, 'images of an iteration='),
    ],
)
def test_what_the_data_have_become_is_said(
    resume, first, name, value, expected
):
    """Under one config: a folder grows, and processes become more."""
    path = os.path.join(first.work_dir, 'iter_2.pth')
    stored = read_checkpoint(path)
    stored['meta'][name] = value
    write_checkpoint(stored, path)
    said = resume()[1]
    assert len(said) == 1
    assert expected in said[0]


def test_a_dropped_average_leaves_the_weights_in_training(resume, first):
    stored = read_checkpoint(os.path.join(first.work_dir, 'iter_2.pth'))
    runner, said = resume(default_hooks__ema=None)
    for name, weight in stored['raw_state_dict'].items():
        assert torch.equal(runner.model.state_dict()[name], weight)
    assert 'the average in the checkpoint is dropped' in ''.join(said)


def test_an_added_average_is_said(build_runner, resume, first):
    build_runner(default_hooks__ema=None, train_cfg__max_iters=2).train()
    runner, said = resume()
    assert 'the average starts at iteration 2' in ''.join(said)


def test_a_checkpoint_whose_config_is_not_read_resumes(resume, first, caplog):
    """The base learning rate shows that the config has another."""
    path = os.path.join(first.work_dir, 'iter_2.pth')
    stored = read_checkpoint(path)
    stored['meta']['cfg'] = 'open("x")'
    write_checkpoint(stored, path)
    runner, said = resume(optim_wrapper__optimizer__lr=5e-4)
    assert 'cannot be read' in caplog.text
    assert runner.optim_wrapper.param_groups[0]['initial_lr'] == 5e-4
    assert 'the learning rate after iteration 2' in said[0]


def test_a_finished_training_is_said(resume, caplog):
    resume()
    assert 'nothing is left to do' in caplog.text


def test_differences_know_hooks_by_type_and_types_without_scope():
    """Neither the place of a hook nor a tuple is a difference."""
    average = dict(type='ModuleEMAHook', modules=('a', 'b'), decay=0.9)
    stored = dict(
        custom_hooks=[dict(average, modules=['a', 'b'])],
        model=dict(type='mmldm.LatentDiffusion', parts=[dict(x=1)]),
    )
    current = dict(
        default_hooks=dict(ema=average),
        model=dict(type='LatentDiffusion', parts=[dict(x=1)]),
    )
    assert config_differences(stored, current) == []
    current['model']['parts'][0]['x'] = 2
    found = config_differences(stored, current)
    assert [str(d) for d in found] == ['model.parts.0.x=2 (checkpoint: 1)']
