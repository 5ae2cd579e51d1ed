"""Optimizers are fused where they can be, and only the speed changes."""

import copy
import os

import pytest
import torch
from torch import nn

from mmldm.engine.fused_optimizers import order_as_weights, use_fused
from mmldm.utils.checkpoint import read_checkpoint


def weights():
    torch.manual_seed(0)
    weight = torch.randn(4, 4, 3, 3)
    return [nn.Parameter(weight.contiguous(memory_format=torch.channels_last))]


@pytest.mark.parametrize('kind', [torch.optim.Adam, torch.optim.AdamW])
def test_a_fused_step_is_the_plain_one(kind):
    ends = []
    for fused in (False, True):
        own = weights()
        optimizer = kind(own, lr=0.1, weight_decay=0.1)
        if fused:
            use_fused(optimizer)
            assert optimizer.param_groups[0]['fused']
        for i in range(3):
            own[0].square().add(own[0] * i).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        ends.append(own[0])
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize(
    'options',
    [dict(fused=False), dict(foreach=True), dict(foreach=False)],
    ids=lambda options: '{}={}'.format(*next(iter(options.items()))),
)
def test_a_way_that_is_chosen_stays(options):
    optimizer = torch.optim.AdamW(weights(), **options)
    use_fused(optimizer)
    assert not optimizer.param_groups[0]['fused']


def test_an_optimizer_without_kernels_stays():
    optimizer = torch.optim.RMSprop(weights())
    before = copy.deepcopy(optimizer.param_groups[0])
    use_fused(optimizer)
    assert optimizer.param_groups[0].keys() == before.keys()


def test_a_state_of_another_memory_order_is_reordered():
    """The kernel would otherwise pair a weight with another one's moments."""
    (own,) = weights()
    optimizer = torch.optim.AdamW([own], fused=True)
    moments = torch.randn_like(own)
    optimizer.state[own] = dict(
        step=torch.ones(()), exp_avg=moments.contiguous()
    )
    order_as_weights(optimizer)
    found = optimizer.state[own]['exp_avg']
    assert found.stride() == own.stride()
    assert torch.equal(found, moments)


def test_a_checkpoint_of_a_plain_training_is_resumed_fused(build_runner):
    plain = build_runner(optim_wrapper__optimizer__fused=False)
    plain.train()
    kept = os.path.join(plain.work_dir, 'iter_4.pth')
    stored = read_checkpoint(kept)['optimizer']['param_groups'][0]
    assert stored['fused'] is False
    resumed = build_runner(
        load_from=kept,
        resume=True,
        model__denoiser__channels_last=True,
    )
    resumed.train()
    assert resumed.optim_wrapper.param_groups[0]['fused']
    losses = {i: x for i, x in plain.record.losses.items() if i >= 4}
    assert resumed.record.losses == pytest.approx(losses, rel=1e-5)
    ends = [
        read_checkpoint(os.path.join(r.work_dir, 'iter_6.pth'))['state_dict']
        for r in (plain, resumed)
    ]
    torch.testing.assert_close(*ends, rtol=1e-3, atol=1e-4)
