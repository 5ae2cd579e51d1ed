"""A resumed schedule is that of a training which was never interrupted."""

import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from mmldm.engine.checkpoint_state import plain
from mmldm.engine.resume.optimizers import (
    Changed,
    Part,
    Progress,
    resume_part,
)
from mmldm.engine.resume.schedules import scheduler_states

WARMUP = dict(type='LinearLR', start_factor=0.1, end=5)
# The schedule of the checkpoint, and what the config has made of it.
SCHEDULES = dict(
    constant=(
        [dict(type='ConstantLR', factor=0.5, end=8)],
        [dict(type='ConstantLR', factor=0.5, end=24)],
    ),
    linear=(
        [dict(type='LinearLR', start_factor=1.0, end_factor=0.1, end=8)],
        [dict(type='LinearLR', start_factor=1.0, end_factor=0.1, end=24)],
    ),
    cosine=(
        [dict(type='CosineAnnealingLR', end=8)],
        [dict(type='CosineAnnealingLR', end=24, eta_min=1e-5)],
    ),
    multi_step=(
        [dict(type='MultiStepLR', milestones=[3, 7], gamma=0.1)],
        [dict(type='MultiStepLR', milestones=[5, 12], gamma=0.5)],
    ),
    step=(
        [dict(type='StepLR', step_size=4, gamma=0.1)],
        [dict(type='StepLR', step_size=3, gamma=0.5)],
    ),
    exponential=(
        [dict(type='ExponentialLR', gamma=0.9)],
        [dict(type='ExponentialLR', gamma=0.7)],
    ),
    poly=(
        [dict(type='PolyLR', power=1.0, end=10)],
        [dict(type='PolyLR', power=2.0, end=24)],
    ),
    one_cycle=(
        [dict(type='OneCycleLR', eta_max=1e-2, total_steps=12)],
        [dict(type='OneCycleLR', eta_max=5e-3, total_steps=24)],
    ),
    one_cycle_peak=(
        [dict(type='OneCycleLR', eta_max=1e-2, total_steps=24)],
        [dict(type='OneCycleLR', eta_max=1e-2, total_steps=24, pct_start=0.6)],
    ),
    restarts=(
        [
            dict(
                type='CosineRestartLR',
                periods=[4, 8],
                restart_weights=[1, 1],
                eta_min=0,
            )
        ],
        [
            dict(
                type='CosineRestartLR',
                periods=[6, 18],
                restart_weights=[1, 0.5],
                eta_min=0,
            )
        ],
    ),
    chain=(
        [WARMUP, dict(type='CosineAnnealingLR', begin=5, end=8)],
        [WARMUP, dict(type='CosineAnnealingLR', begin=5, end=24)],
    ),
    another_kind=(
        [WARMUP, dict(type='CosineAnnealingLR', begin=5, end=8)],
        [dict(type='PolyLR', power=2.0, end=24)],
    ),
    to_one_cycle=(
        [dict(type='CosineAnnealingLR', end=8)],
        [dict(type='OneCycleLR', eta_max=5e-3, total_steps=24)],
    ),
    from_one_cycle=(
        [dict(type='OneCycleLR', eta_max=5e-3, total_steps=24)],
        [dict(type='CosineAnnealingLR', end=24)],
    ),
    dropped=([dict(type='CosineAnnealingLR', end=8)], []),
    added=([], [dict(type='CosineAnnealingLR', end=24)]),
    momentum=(
        [dict(type='CosineAnnealingMomentum', end=8)],
        [dict(type='LinearMomentum', start_factor=0.5, end=24)],
    ),
    momentum_dropped=([dict(type='CosineAnnealingMomentum', end=8)], []),
)
DONE, MORE = 9, 10


class Run:
    """One optimizer with its schedules."""

    def __init__(self, schedules, lr=1e-3, groups=2):
        weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(groups)]
        optimizer = torch.optim.AdamW(
            [dict(params=[w], lr=lr / (i + 1)) for i, w in enumerate(weights)],
            lr=lr,
        )
        self.wrapper = OptimWrapper(optimizer)
        for group in self.wrapper.param_groups:
            group['initial_lr'] = group['lr']
        self.schedulers = [
            PARAM_SCHEDULERS.build(
                dict(optimizer=self.wrapper, by_epoch=False, **schedule)
            )
            for schedule in schedules
        ]

    def step(self):
        """One iteration; the values that the next one has."""
        for group in self.wrapper.optimizer.param_groups:
            for weight in group['params']:
                weight.grad = torch.ones(2)
        self.wrapper.step()
        for scheduler in self.schedulers:
            scheduler.step()
        return [
            (g['lr'], g['betas']) for g in self.wrapper.optimizer.param_groups
        ]

    def part(self, of):
        """This run, with the states of another one."""
        return Part(
            'optim_wrapper',
            self.wrapper,
            self.schedulers,
            plain(copy.deepcopy(of.wrapper.state_dict())),
            plain(scheduler_states(of.schedulers)),
            None,
        )


@pytest.mark.parametrize('lr', [1e-3, 3e-4])
@pytest.mark.parametrize('kind', SCHEDULES)
def test_a_changed_schedule_is_that_of_a_whole_run(kind, lr):
    """To the last bit: learning rates and momenta of every group."""
    old, new = SCHEDULES[kind]
    before, whole, resumed = Run(old), Run(new, lr), Run(new, lr)
    for _ in range(DONE):
        before.step()
        values = whole.step()
    changed = Changed(set(), schedule=True)
    assert resume_part(resumed.part(before), changed, Progress(DONE, None))
    groups = resumed.wrapper.optimizer.param_groups
    assert [(g['lr'], g['betas']) for g in groups] == values
    for _ in range(MORE):
        assert resumed.step() == whole.step()


@pytest.mark.parametrize('kind', SCHEDULES)
def test_an_unchanged_schedule_goes_on(kind):
    """With the state of the checkpoint, functions left out."""
    schedule = SCHEDULES[kind][1]
    before, resumed = Run(schedule), Run(schedule)
    for _ in range(DONE):
        before.step()
    changed = Changed(set(), schedule=False)
    part = resumed.part(before)
    assert not resume_part(part, changed, Progress(DONE, None))
    for _ in range(MORE):
        assert resumed.step() == before.step()


def test_another_schedule_is_seen_without_the_checkpoints_config():
    """By base values, ends and number of the schedules."""
    before = Run([dict(type='CosineAnnealingLR', end=8)])
    for schedules, lr, other in (
        ([dict(type='CosineAnnealingLR', end=8)], 1e-3, False),
        ([dict(type='CosineAnnealingLR', end=8)], 5e-4, True),
        ([dict(type='CosineAnnealingLR', end=9)], 1e-3, True),
        ([], 1e-3, True),
    ):
        part = Run(schedules, lr).part(before)
        changed = Changed(set(), schedule=None)
        assert resume_part(part, changed, Progress(0, None)) == other


def test_a_state_of_other_groups_is_refused():
    before, resumed = Run([]), Run([], groups=3)
    with pytest.raises(ValueError, match='optim_wrapper .* paramwise_cfg'):
        resume_part(
            resumed.part(before), Changed(set(), False), Progress(1, None)
        )


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


def test_a_plateau_without_the_checkpoints_config_is_refused():
    before = Run([])
    before.schedulers = [
        PARAM_SCHEDULERS.build(dict(PLATEAU, optimizer=before.wrapper))
    ]
    resumed = Run([], lr=5e-4)
    resumed.schedulers = [
        PARAM_SCHEDULERS.build(dict(PLATEAU, optimizer=resumed.wrapper))
    ]
    with pytest.raises(ValueError, match='set param_scheduler'):
        resume_part(
            resumed.part(before), Changed(set(), None), Progress(1, None)
        )


def test_every_scheduler_of_mmengine_is_tried():
    """A kind that mmengine gains gets a test here."""
    kinds = {
        name for name in PARAM_SCHEDULERS.module_dict if name.endswith('LR')
    }
    tried = {s['type'] for pair in SCHEDULES.values() for p in pair for s in p}
    assert kinds - tried == {'ReduceOnPlateauLR'}


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
    message = r'param_scheduler.0.end=4, .*max_iters=8: .*1e-08 .* Set .*end=8'
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
