"""A resumed schedule is that of a training which was never interrupted."""

import copy

import pytest
import torch
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


PLATEAU = dict(
    type='ReduceOnPlateauLR', monitor='loss', factor=0.5, patience=0
)


def test_a_plateau_without_the_checkpoints_config_is_refused():
    before = Run([])
    before.schedulers = [
        PARAM_SCHEDULERS.build(dict(PLATEAU, optimizer=before.wrapper))
    ]
    resumed = Run([], lr=5e-4)
    resumed.schedulers = [
        PARAM_SCHEDULERS.build(dict(PLATEAU, optimizer=resumed.wrapper))
    ]
    with pytest.raises(ValueError, match='restore param_scheduler'):
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
