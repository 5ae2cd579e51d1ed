"""Benchmarks of steps: runs in turn, equal arithmetic, sections that fail."""

from argparse import Namespace

import pytest
import torch

from mmldm.models.layers import attention


def test_contestants_run_in_turn_and_ratios_are_those_of_rounds(
    load_benchmark,
):
    interleaved = load_benchmark('interleaved')
    order, now = [], [0.0]

    def run(name, seconds):
        order.append(name)
        now[0] += seconds

    seconds = interleaved.in_turn(
        dict(a=lambda: run('a', 2), b=lambda: run('b', 3), c=lambda: 5.0),
        repeats=2,
        clock=lambda: now[0],
        warmups=1,
    )
    assert order == ['b', 'a', 'a', 'b', 'b', 'a']
    assert seconds == dict(a=[2, 2], b=[3, 3], c=[5, 5])
    assert interleaved.ratio(seconds, 'b', 'a') == 1.5
    rounds = dict(a=[4, 9, 5], b=[2, 3, 5])
    assert interleaved.spread(rounds, 'a', 'b') == dict(
        median=2, least=1, largest=3
    )


def test_plain_attention_is_ours(load_benchmark):
    q, k, v = torch.randn(3, 2, 5, 8)
    plain = load_benchmark('training_step').plain_attention
    torch.testing.assert_close(
        plain(q, k, v, 2), attention._attend(q, k, v, 2)
    )


def test_operations_grow_with_the_batch(load_benchmark):
    count = load_benchmark('training_step').operations
    one, two = (
        count(Namespace(batch_size=batch, size=8, channels=64))
        for batch in (1, 2)
    )
    assert two == pytest.approx(2 * one, rel=0.01)


def test_a_peak_is_that_since_it_was_forgotten(load_benchmark):
    peak = load_benchmark('peak_memory')
    before = peak.forget_peak('cpu')
    bytes(b'1' * 2**26)
    assert peak.peak_memory('cpu') - before > 60
    assert peak.forget_peak('cpu') - before < 30


def test_a_section_that_fails_or_comes_too_late_is_reported(load_benchmark):
    run = load_benchmark('gpu_smoke').run_section

    def section(args):
        raise RuntimeError('no such kernel')

    args = Namespace(budget=3)
    assert run(section, args, 1)['error'] == 'RuntimeError: no such kernel'
    assert 'budget 3' in run(section, args, -1)['skipped']


def test_differences_of_losses_are_relative(load_benchmark):
    found = load_benchmark('gpu_trainings').differences([2.0, 4.0], [2.0, 5.0])
    assert (found['first'], found['largest']) == (0, 0.25)
