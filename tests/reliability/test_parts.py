"""What decides whether a run of the scripts went well."""

from collections import Counter

import pytest
import torch


def checkpoint(**changes):
    return dict(
        state_dict=dict(a=torch.ones(2)),
        optimizer=dict(state=[dict(step=3)]),
        meta=dict(iter=4, time='now'),
    ) | dict(changes)


def test_two_checkpoints_are_the_same_but_for_their_times(load):
    differences = load('equality').differences
    later = dict(iter=4, time='later')
    assert differences(checkpoint(), checkpoint(meta=later)) == []


@pytest.mark.parametrize(
    'path, change',
    [
        ('.state_dict.a', dict(state_dict=dict(a=torch.tensor([1, 1.0001])))),
        ('.state_dict.a', dict(state_dict=dict(a=torch.ones(2).double()))),
        ('.state_dict.b', dict(state_dict=dict(a=torch.ones(2), b=1))),
        ('.optimizer.state.0.step', dict(optimizer=dict(state=[{}]))),
        ('.meta.iter', dict(meta=dict(iter=5))),
    ],
)
def test_another_bit_is_another_checkpoint(load, path, change):
    found = load('equality').differences(checkpoint(), checkpoint(**change))
    assert found == [path]


def test_minus_zero_and_nan_are_bits_too(load):
    same = load('equality').same
    assert not same(torch.tensor(0.0), torch.tensor(-0.0))
    assert same(torch.tensor(torch.nan), torch.tensor(torch.nan))


@pytest.mark.parametrize(
    'text, expected',
    [
        (
            '"""Of a."""\n_base_ = ["a.py"]\nx = dict(a=[1, -2.0], b=None)',
            True,
        ),
        ("x = dict({'a b': (1,)})\ny = float('inf')", True),
        ('x = dict(a=__import__("os"))', False),
        ('"""a"""; __import__("os")', False),
        ('import os', False),
        ('x = dict(**a)', False),
        ('x = f"{1}"', False),
        ('x = [i for i in "a"]', False),
        ('x.y = 1', False),
        ('def f(): pass', False),
    ],
)
def test_a_config_is_data_or_not(load, tmp_path, text, expected):
    path = tmp_path / 'config.py'
    path.write_text(text)
    assert load('literals').is_data(path) == expected


@pytest.mark.parametrize(
    'last, files, small', [(101, 9, True), (103, 9, False), (101, 10, False)]
)
def test_growth_is_from_the_second_tenth_to_the_last(load, last, files, small):
    growth = load('growth')
    looks = [growth.Look(1, 1)] * 10 + [growth.Look(100, 9)] * 80
    looks += [growth.Look(last, files)] * 10
    assert growth.growth(looks).is_small == small


def test_a_table_is_good_if_nothing_is_bad(load):
    Report = load('report').Report
    report = Report(('runs', 'hung'), good=('runs',))
    assert not report.is_good  # nothing was tried
    report.add('a', Counter(runs=2))
    assert report.is_good
    report.add('a', Counter(runs=1, hung=1))
    assert not report.is_good
    assert '| a | 3 | 1 |' in str(report)
