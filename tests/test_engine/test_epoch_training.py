"""Training by epochs, and what counts them in a training by iterations."""

import os

import pytest
from mmengine.hooks import Hook
from mmengine.optim import CosineAnnealingLR

from mmldm.utils.checkpoint import read_checkpoint

# Ten digits, batches of four: three iterations, the last one filled.
LENGTH = 3
FEW = dict(train_dataloader__dataset__indices=10)
EPOCHS = dict(
    train_cfg=dict(_delete_=True, by_epoch=True, max_epochs=3),
    **FEW,
    default_hooks__checkpoint=dict(interval=1, by_epoch=True),
    param_scheduler=[dict(type='MultiStepLR', milestones=[1, 2], gamma=0.1)],
)


class Count(Hook):
    """What hooks are told, and the learning rates."""

    priority = 'VERY_HIGH'

    def __init__(self):
        self.begun, self.ended, self.batches, self.rates = [], [], [], {}

    def before_train_epoch(self, runner):
        self.begun.append((runner.epoch, runner.iter))

    def after_train_epoch(self, runner):
        self.ended.append((runner.epoch, runner.iter))

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.batches.append(batch_idx)
        self.rates[runner.iter] = runner.optim_wrapper.get_lr()['lr'][0]


@pytest.fixture
def train(build_runner):
    """Trains, by epochs unless the options say otherwise."""

    def train(**options):
        runner = build_runner(**{**EPOCHS, **options})
        runner.count = Count()
        runner.register_hook(runner.count)
        runner.train()
        return runner

    return train


def test_epochs_are_counted(train):
    """By hooks, schedules and checkpoints, which iterations name."""
    runner = train()
    count = runner.count
    assert count.begun == [(0, 0), (1, 3), (2, 6)]
    assert count.ended == [(0, 3), (1, 6), (2, 9)]
    assert count.batches == [0, 1, 2] * 3
    expected = [1e-3] * 3 + [1e-4] * 3 + [1e-5] * 3
    assert [*count.rates.values()] == pytest.approx(expected)
    files = sorted(f for f in os.listdir(runner.work_dir) if 'iter_' in f)
    assert files == ['iter_3.pth', 'iter_6.pth', 'iter_9.pth']
    assert runner.max_iters == 9


@pytest.mark.parametrize('iteration', [2, 3, 4])
def test_a_resumed_epoch_training_is_exact(train, iteration):
    """Within an epoch and between two, schedules by epoch and dropout."""
    options = dict(
        default_hooks__checkpoint=dict(interval=1),
        train_cfg=dict(EPOCHS['train_cfg'], max_epochs=2),
    )
    whole = train(**options)
    resumed = train(
        **options,
        load_from=os.path.join(whole.work_dir, f'iter_{iteration}.pth'),
        resume=True,
        work_dir=whole.work_dir + '-resumed',
    )
    assert resumed.record.losses == {
        i: x for i, x in whole.record.losses.items() if i >= iteration
    }
    assert resumed.count.rates == {
        i: x for i, x in whole.count.rates.items() if i >= iteration
    }
    assert resumed.epoch == whole.epoch == 2


def test_a_changed_schedule_by_epoch_is_that_of_a_whole_run(train):
    """With one by iteration beside it."""

    def schedule(gamma):
        return [
            dict(type='StepLR', step_size=1, gamma=gamma),
            dict(type='LinearLR', by_epoch=False, start_factor=0.1, end=5),
        ]

    first = train(param_scheduler=schedule(0.5))
    whole = train(
        param_scheduler=schedule(0.2), work_dir=first.work_dir + '-whole'
    )
    resumed = train(
        param_scheduler=schedule(0.2),
        load_from=os.path.join(first.work_dir, 'iter_3.pth'),
        resume=True,
    )
    assert resumed.count.rates == {
        i: x for i, x in whole.count.rates.items() if i >= 3
    }


def test_an_epoch_of_another_length_is_refused(train):
    train()
    message = 'an epoch has 2 iterations, in .* 3, .*load_from='
    with pytest.raises(ValueError, match=message):
        train(resume=True, train_dataloader__batch_size=6)


def test_the_log_may_count_epochs(train):
    runner = train(log_processor__by_epoch=True)
    log = os.path.join(runner.log_dir, 'vis_data', 'scalars.json')
    assert os.path.exists(log)


def test_by_epoch_false_is_training_by_iterations(build_runner):
    runner = build_runner(
        train_cfg=dict(_delete_=True, by_epoch=False, max_iters=2)
    )
    runner.train()
    assert sorted(runner.record.losses) == [0, 1]


def test_epochs_are_seen_from_max_epochs(train):
    runner = train(train_cfg=dict(_delete_=True, max_epochs=1))
    assert runner.max_iters == LENGTH


REFUSED = dict(
    mmengines_epochs=(
        dict(type='EpochBasedTrainLoop', max_epochs=2),
        "type='EpochBasedTrainLoop' cannot .*'AddressedEpochTrainLoop'",
    ),
    mmengines_iterations=(
        dict(type='IterBasedTrainLoop', max_iters=2),
        "type='IterBasedTrainLoop' cannot .*'AddressedTrainLoop'",
    ),
    both=(
        dict(type='AddressedTrainLoop', by_epoch=True, max_epochs=2),
        'has type=.* and by_epoch=True',
    ),
    neither=(dict(by_epoch=True), 'train_cfg.max_epochs is missing'),
    unknown=(
        dict(by_epoch=True, max_epoch=2),
        "train_cfg.max_epoch .*'max_epochs'",
    ),
    none=(dict(by_epoch=True, max_epochs=0), 'train_cfg.max_epochs=0 must'),
)


@pytest.mark.parametrize('kind', REFUSED)
def test_other_loops_are_refused_at_the_start(train, kind):
    cfg, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        train(train_cfg=dict(cfg, _delete_=True))


def test_a_schedule_by_epoch_is_refused_without_epochs(build_runner):
    """mmengine never steps it."""
    message = (
        r'param_scheduler.1 \(CosineAnnealingLR\) counts epochs.*by_epoch'
    )
    with pytest.raises(ValueError, match=message):
        build_runner(
            param_scheduler=[
                dict(type='LinearLR', by_epoch=False, end=3),
                dict(type='CosineAnnealingLR', T_max=6),
            ]
        ).train()


@pytest.mark.parametrize('key', ['begin', 'end'])
def test_epochs_of_a_plateau_are_refused_without_epochs(build_runner, key):
    plateau = dict(type='ReduceOnPlateauLR', monitor='loss')
    message = f'param_scheduler.0.{key}=5 counts epochs'
    with pytest.raises(ValueError, match=message):
        build_runner(param_scheduler=[{**plateau, key: 5}]).train()


@pytest.mark.parametrize('end', [None, 2])
def test_a_schedule_by_epoch_is_converted_where_asked(build_runner, end):
    """Over all iterations, unless it ends before."""
    schedule = dict(type='CosineAnnealingLR', convert_to_iter_based=True)
    runner = build_runner(
        param_scheduler=[schedule if end is None else dict(schedule, end=end)],
        **FEW,
        train_cfg__max_iters=7,
    )
    runner.train()
    (built,) = runner.param_schedulers
    assert isinstance(built, CosineAnnealingLR)
    assert not built.by_epoch
    assert built.end == (7 if end is None else end * LENGTH)


def test_a_checkpoint_by_epoch_is_refused_without_epochs(build_runner):
    with pytest.raises(ValueError, match='checkpoint.by_epoch=True'):
        build_runner(default_hooks__checkpoint__by_epoch=True).train()


def test_a_log_by_epoch_is_refused_without_epochs(build_runner):
    message = r'log_processor=dict\(by_epoch=False\)'
    with pytest.raises(ValueError, match=message):
        build_runner(log_processor__by_epoch=True).train()


def test_training_by_epochs_goes_on_by_iterations(train, build_runner):
    first = train()
    runner = build_runner(
        **FEW,
        train_cfg__max_iters=11,
        param_scheduler=None,
        resume=True,
        work_dir=first.work_dir,
    )
    runner.train()
    assert sorted(runner.record.losses) == [9, 10]
    assert read_checkpoint(first.work_dir)['meta']['iter'] == 11
