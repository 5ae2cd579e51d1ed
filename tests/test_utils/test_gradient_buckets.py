"""Gradients of two processes are those of one, and are sent in time."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmldm.utils import gradient_buckets
from mmldm.utils.distributed import leave_process_group
from mmldm.utils.gradient_buckets import GradientBuckets

BYTES = 4 * 3 * 3  # of one of the layers' weights


def layers(count=4):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(3, 3, bias=False) for _ in range(count)))


@pytest.fixture
def two_processes(monkeypatch):
    """The other process has the same gradients; messages are kept."""
    sent = []

    def all_reduce(flat, async_op):
        assert async_op
        sent.append(flat)
        return SimpleNamespace(wait=lambda: flat.mul_(2))

    monkeypatch.setattr(gradient_buckets, 'get_world_size', lambda: 2)
    monkeypatch.setattr(torch.distributed, 'all_reduce', all_reduce)
    return sent


def test_buckets_are_sent_while_backward_runs(two_processes):
    network = layers()
    buckets = GradientBuckets(network.parameters(), size=2 * BYTES)
    wanted = torch.autograd.grad(
        network(torch.ones(2, 3)).sum(), [*network.parameters()]
    )
    ready = []
    network[1].weight.register_post_accumulate_grad_hook(
        lambda _: ready.append(len(two_processes))
    )
    with buckets.averaging():
        network(torch.ones(2, 3)).sum().backward()
    assert ready == [1]  # the bucket of the layers 3 and 2 was sent already
    assert [flat.numel() for flat in two_processes] == [18, 18]
    for weight, grad in zip(network.parameters(), wanted, strict=True):
        torch.testing.assert_close(weight.grad, grad)


def test_only_the_last_of_accumulated_gradients_is_sent(two_processes):
    network = layers()
    buckets = GradientBuckets(network.parameters())
    network(torch.ones(2, 3)).sum().backward()
    assert not two_processes
    with buckets.averaging():
        network(torch.ones(2, 3)).sum().backward()
    (flat,) = two_processes
    assert torch.equal(flat[:9].view(3, 3), network[3].weight.grad)


def test_parameters_without_gradient_hold_nothing_up(two_processes):
    network = layers()
    buckets = GradientBuckets(network.parameters(), size=BYTES)
    with buckets.averaging():
        network[:2](torch.ones(2, 3)).sum().backward()
    assert len(two_processes) == 4
    assert network[0].weight.grad.any()
    assert network[3].weight.grad is None


def gradients(rank, num_ranks):
    """Gradients of the mean over a batch of four, shared by the ranks."""
    network = layers()
    buckets = GradientBuckets(network.parameters(), size=2 * BYTES)
    batch = torch.arange(12.0).view(4, 3)[rank::num_ranks]
    with buckets.averaging():
        network(batch).square().mean().backward()
    return [weight.grad for weight in network.parameters()]


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(run_two_ranks):
    for found in run_two_ranks(__file__):
        torch.testing.assert_close(found, gradients(0, 1))


def main(rank, folder):
    """One of two processes; they meet at a file, which needs no port."""
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/meet', rank=rank, world_size=2
    )
    torch.save(gradients(rank, 2), f'{folder}/{rank}.pth')
    leave_process_group()


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2])
