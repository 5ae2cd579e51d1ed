"""Curves, tables and times from what a training has logged."""

import json
import math

import pytest

from mmldm.apis.training_logs import (
    TrainingLog,
    read_log,
    smoothed,
    step_times,
    summary,
)


@pytest.fixture
def start(tmp_path):
    """Writes the log of one start of a run."""

    def start(name, *entries, end=''):
        folder = tmp_path / 'run' / name / 'vis_data'
        folder.mkdir(parents=True)
        lines = [json.dumps(entry) + '\n' for entry in entries]
        (folder / 'scalars.json').write_text(''.join(lines) + end)
        return tmp_path / 'run'

    return start


def training(step, **values):
    return dict(values, iter=step, step=step)


def test_a_resumed_run_has_one_curve(start):
    """What was run again counts once, as it was run last."""
    start(
        '1', training(10, loss=3), training(20, loss=2), training(30, loss=9)
    )
    run = start('2', training(25, loss=1.5), training(35, loss=1))
    assert read_log(run).points('loss') == [
        (10, 3),
        (20, 2),
        (25, 1.5),
        (35, 1),
    ]
    assert read_log(run).name == 'run'
    assert read_log(run / '1/vis_data/scalars.json').name == 'run'


def test_times_of_a_validation_are_not_those_of_training(start):
    run = start(
        '1', training(10, time=0.5), dict(step=10, time=60, psnr=20, epoch=3)
    )
    assert read_log(run).values == dict(time=[(10, 0.5)], psnr=[(10, 20)])


def test_the_loss_of_a_validation_is_another_curve(start):
    run = start('1', training(10, loss=3), dict(step=10, loss=5))
    found = read_log(run).values
    assert found == {'loss': [(10, 3)], 'val/loss': [(10, 5)]}


def test_a_line_that_a_kill_has_cut_is_left_out(start):
    run = start('1', training(1, loss=1), end='{"loss": 0.')
    assert read_log(run).points('loss') == [(1, 1)]


def test_other_damage_names_its_line(start):
    run = start('1', training(1, loss=1), end='{"lo\n{}\n')
    with pytest.raises(ValueError, match=r'scalars\.json: line 2'):
        read_log(run)


def test_a_folder_without_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='vis_data'):
        read_log(tmp_path)


def test_an_unknown_key_lists_those_that_are_there():
    with pytest.raises(ValueError, match='--keys los .*loss, lr'):
        TrainingLog('a', dict(lr=[(1, 1)], loss=[(1, 1)])).points('los')


def test_smoothing_keeps_a_constant_and_starts_at_the_first_value():
    assert [v for _, v in smoothed([(1, 2), (2, 2), (3, 2)], 0.9)] == (
        pytest.approx([2, 2, 2])
    )
    # (0.25 * 0 + 0.5 * 3) / 0.75
    assert smoothed([(1, 0), (2, 3)], 0.5)[1] == (2, pytest.approx(2))
    assert smoothed([(1, 0), (2, 3)], 0) == [(1, 0), (2, 3)]


def test_a_summary_has_the_least_value_and_skips_what_is_not_finite():
    log = TrainingLog('a', dict(x=[(1, 4), (2, 1), (3, math.nan), (4, 2)]))
    assert summary(log) == [('x', 4, 2, 2, 1)]


@pytest.mark.parametrize(
    'include, mean, left_out', [(False, 1, 1), (True, 4, 0)]
)
def test_slow_iterations_are_left_out_and_counted(include, mean, left_out):
    times = [(1, 10.0), (2, 1.0), (3, 1.0)]
    result = step_times(TrainingLog('a', dict(time=times)), include)
    assert (result['mean'], result['left_out']) == (mean, left_out)
