"""A checkpoint that cannot be written is known before it is due."""

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import StepLR
from mmengine.registry import OPTIMIZERS

from mmldm.registry import PARAM_SCHEDULERS


class Holder(Hook):
    """Puts what no checkpoint holds into every checkpoint."""

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['mine'] = dict(parts=[1, object()])


def run_of(runner, name, *hooks):
    for hook in hooks:
        runner.register_hook(hook)
    with pytest.raises(ValueError, match=name):
        runner.train()
    return sorted(runner.record.losses)


def test_what_a_hook_adds_is_tried_before_the_first_iteration(build_runner):
    runner = build_runner()
    name = r'checkpoint\.mine\.parts\.1 is a object, which a checkpoint cannot'
    assert run_of(runner, name, Holder()) == []


def test_a_schedule_is_tried_before_the_first_iteration(build_runner):
    class Odd(StepLR):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, step_size=2, **kwargs)
            self.odd = [Hook()]

    PARAM_SCHEDULERS.register_module(module=Odd, force=True)
    runner = build_runner(param_scheduler=[dict(type='Odd', by_epoch=False)])
    assert run_of(runner, r'param_schedulers\.0\.odd\.0 is a Hook') == []


def test_the_optimizer_is_tried_after_its_first_step(build_runner):
    """Before it, its state is empty."""

    class Tracing(torch.optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            for weight in self.param_groups[0]['params']:
                self.state[weight]['trace'] = Hook()

    OPTIMIZERS.register_module(module=Tracing, force=True)
    runner = build_runner(
        optim_wrapper__optimizer=dict(_delete_=True, type='Tracing', lr=1e-3),
        default_hooks__checkpoint__interval=5,
    )
    name = r'optimizer\.state\.0\.trace is a Hook'
    assert run_of(runner, name) in ([], [0])


@pytest.mark.parametrize('strategy', ['cos', 'linear'])
def test_one_cycle_is_stored_and_resumed(build_runner, strategy):
    """Its state has a function, which the config builds anew."""
    options = dict(
        param_scheduler=[
            dict(
                type='OneCycleLR',
                by_epoch=False,
                eta_max=1e-2,
                anneal_strategy=strategy,
            )
        ]
    )
    whole = build_runner(**options)
    whole.train()
    resumed = build_runner(
        **options,
        resume=True,
        load_from=f'{whole.work_dir}/iter_2.pth',
    )
    resumed.train()
    expected = {i: x for i, x in whole.record.losses.items() if i >= 2}
    assert resumed.record.losses == expected


def test_trying_changes_nothing(build_runner):
    """Weights and average are where they were."""
    runner = build_runner(train_cfg__max_iters=2)
    runner.train()
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.try_checkpoint()
    for name, weight in runner.model.state_dict().items():
        assert torch.equal(weight, before[name])
