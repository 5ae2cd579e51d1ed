"""The learning rate that follows from the images of a step."""

import pytest


def rates(runner):
    runner.train()
    return {
        round(group['initial_lr'] / 1e-3, 9)
        for group in runner.optim_wrapper.param_groups
    }


@pytest.mark.parametrize('counts, factor', [(1, 0.25), (2, 0.5), (4, 1)])
def test_scaling_counts_the_batches_of_a_step(build_runner, counts, factor):
    """Batches of 4, for a base of 16."""
    runner = build_runner(
        auto_scale_lr=dict(enable=True, base_batch_size=16),
        optim_wrapper__accumulative_counts=counts,
        train_cfg__max_iters=4,
        default_hooks__checkpoint__interval=4,
    )
    assert rates(runner) == {factor}


def test_each_optimizer_is_scaled_by_its_own_steps(
    build_runner, adversarial_training
):
    runner = build_runner(
        **adversarial_training,
        auto_scale_lr=dict(enable=True, base_batch_size=16),
        optim_wrapper__adversarial__accumulative_counts=2,
        train_cfg__max_iters=2,
    )
    runner.train()
    found = {
        name: wrapper.param_groups[0]['initial_lr']
        for name, wrapper in runner.optim_wrapper.items()
    }
    assert found == pytest.approx(dict(autoencoder=2.5e-4, adversarial=5e-4))


def test_groups_of_parameters_keep_their_proportion(build_runner):
    """The rate that logs call ``base_lr`` is scaled too."""
    runner = build_runner(
        auto_scale_lr=dict(enable=True, base_batch_size=8),
        optim_wrapper__paramwise_cfg=dict(
            custom_keys=dict(conv_in=dict(lr_mult=0.1))
        ),
        train_cfg__max_iters=2,
    )
    assert rates(runner) == {0.5, 0.05}


def test_a_schedule_with_a_rate_of_its_own_is_not_scaled(build_runner):
    runner = build_runner(
        auto_scale_lr=dict(enable=True, base_batch_size=16),
        param_scheduler=[
            dict(type='OneCycleLR', by_epoch=False, eta_max=1e-2)
        ],
    )
    with pytest.raises(ValueError, match='param_scheduler.0.eta_max=0.01'):
        runner.train()
