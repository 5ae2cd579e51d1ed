"""Learning rates of resumed trainings, and schedules that are refused."""

import pytest
from mmengine.hooks import Hook

WARMUP = dict(type='LinearLR', start_factor=0.1, end=5)


class Rates(Hook):
    """Keeps the learning rates of every iteration."""

    priority = 'VERY_HIGH'

    def __init__(self):
        self.rates = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        lr = runner.optim_wrapper.get_lr()
        self.rates[runner.iter] = {k: list(v) for k, v in lr.items()}


@pytest.fixture
def rates_of(build_runner):
    """Trains with some options; rates by iteration, and the runner."""

    def train(**options):
        runner = build_runner(**options)
        rates = Rates()
        runner.register_hook(rates)
        runner.train()
        return rates.rates, runner

    return train


def cosine(end):
    return [dict(type='CosineAnnealingLR', by_epoch=False, end=end)]


def test_a_longer_schedule_is_taken_at_resume(rates_of):
    """Cosine to 4, resumed with end 12."""
    _, first = rates_of(param_scheduler=cosine(4), train_cfg__max_iters=4)
    longer = dict(param_scheduler=cosine(12), train_cfg__max_iters=12)
    whole, _ = rates_of(**longer, work_dir=first.work_dir + '-whole')
    resumed, _ = rates_of(**longer, resume=True, work_dir=first.work_dir)
    assert resumed == {i: whole[i] for i in range(4, 12)}


def test_an_end_that_follows_max_iters_is_taken_at_resume(rates_of):
    """A schedule without an ``end`` runs over the whole training."""
    schedule = [dict(type='PolyLR', by_epoch=False, power=1.0)]
    _, first = rates_of(param_scheduler=schedule, train_cfg__max_iters=4)
    longer = dict(param_scheduler=schedule, train_cfg__max_iters=8)
    whole, _ = rates_of(**longer, work_dir=first.work_dir + '-whole')
    resumed, _ = rates_of(**longer, resume=True)
    assert resumed == {i: whole[i] for i in range(4, 8)}


def test_a_schedule_that_would_begin_after_a_short_training_is_left_out(
    rates_of,
):
    """Also of the one that it is resumed as."""
    schedule = [
        dict(WARMUP, by_epoch=False),
        dict(type='CosineAnnealingLR', by_epoch=False, begin=5),
    ]
    _, first = rates_of(param_scheduler=schedule, train_cfg__max_iters=4)
    longer = dict(param_scheduler=schedule, train_cfg__max_iters=8)
    whole, _ = rates_of(**longer, work_dir=first.work_dir + '-whole')
    resumed, _ = rates_of(**longer, resume=True)
    assert whole[7]['lr'] < whole[5]['lr']
    assert resumed == {i: whole[i] for i in range(4, 8)}


def test_the_rates_of_two_optimizers_are_taken_apart(
    rates_of, adversarial_training
):
    """One with another rate, the other with another schedule."""
    before = dict(
        adversarial_training,
        param_scheduler=dict(
            _delete_=True, autoencoder=cosine(6), adversarial=cosine(6)
        ),
    )
    _, first = rates_of(**before, train_cfg__max_iters=4)
    after = dict(
        before,
        optim_wrapper__autoencoder__optimizer__lr=3e-4,
        param_scheduler__adversarial=cosine(12),
    )
    whole, _ = rates_of(**after, work_dir=first.work_dir + '-whole')
    resumed, _ = rates_of(**after, resume=True)
    assert resumed == {i: whole[i] for i in (4, 5)}


PLATEAU = dict(
    type='ReduceOnPlateauLR', monitor='loss', factor=0.5, patience=0
)


class Stuck(Hook):
    """A validation after every iteration, whose metric never improves."""

    priority = 'VERY_HIGH'

    def after_train_iter(self, runner, batch_idx, *_, **__):
        for scheduler in runner.param_schedulers:
            if scheduler.by_epoch:
                scheduler.step(dict(loss=1.0))


@pytest.mark.parametrize('lr', [1e-3, 4e-4])
@pytest.mark.parametrize('warmup', [[], [dict(WARMUP, by_epoch=False)]])
def test_what_a_metric_has_reduced_stays_reduced(build_runner, lr, warmup):
    """Under a changed rate: the reductions so far, and the best metric."""

    def train(lr, max_iters, **options):
        runner = build_runner(
            param_scheduler=[PLATEAU, *warmup],
            optim_wrapper__optimizer__lr=lr,
            train_cfg__max_iters=max_iters,
            **options,
        )
        rates = Rates()
        runner.register_hook(rates)
        runner.register_hook(Stuck())
        runner.train()
        return rates.rates, runner

    first, runner = train(1e-3, 4)
    whole, _ = train(lr, 6, work_dir=runner.work_dir + '-whole')
    assert whole[5]['lr'][0] < whole[4]['lr'][0]
    resumed, resumed_runner = train(lr, 6, resume=True)
    for i in (4, 5):
        assert resumed[i]['lr'] == pytest.approx(whole[i]['lr'], rel=1e-6)
    assert resumed_runner.param_schedulers[0].best == 1.0


@pytest.mark.parametrize('resume', [False, True])
def test_a_training_beyond_the_end_of_its_schedule_is_refused(
    build_runner, resume
):
    """The rate would stay at nearly 0: both keys are named."""
    fall = dict(type='LinearLR', by_epoch=False, end=4)
    options = dict(
        param_scheduler=[dict(fall, start_factor=1.0, end_factor=1e-5)]
    )
    build_runner(**options, train_cfg__max_iters=4).train()
    message = r'param_scheduler.0.end=4, .*max_iters=8: .*1e-08 .* set .*end=8'
    with pytest.raises(ValueError, match=message):
        build_runner(**options, train_cfg__max_iters=8, resume=resume).train()


def test_a_warmup_may_end_before_the_training(build_runner):
    build_runner(
        param_scheduler=[dict(type='LinearLR', by_epoch=False, end=3)]
    ).train()


def test_a_cycle_shorter_than_the_training_is_refused(build_runner):
    """mmengine raises after its last step."""
    cycle = dict(
        type='OneCycleLR', by_epoch=False, eta_max=1e-2, total_steps=3
    )
    message = 'param_scheduler.0.total_steps=3.* set param_scheduler.0.end=3'
    with pytest.raises(ValueError, match=message):
        build_runner(param_scheduler=[cycle]).train()
