"""tools/benchmarks/knobs.py compares configs that differ by one knob."""

import json
import math
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils.checkpoint import read_checkpoint

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs/en/recipes.md'
LENGTHS = {'--seeds': 2, '--iterations': 4, '--num': 10, '--steps': 2}


@pytest.fixture
def knobs(load_benchmark):
    return load_benchmark('knobs')


@pytest.fixture
def tables(knobs):
    """A neighbour of the tool."""
    return import_module('knob_table')


@pytest.fixture
def run(knobs, config, tmp_path, monkeypatch, capsys):
    """Runs the tool on tiny digits; returns what it prints."""
    # Both distances are other tests' subject.
    task = replace(
        knobs.TASKS['digits'],
        config=config,
        options={'train_dataloader.dataset.most': 4},
        judges=(dict(type='FrechetDistance'),),
        metrics={'class_accuracy': 'accuracy', 'frechet/distance': 'FD'},
    )
    monkeypatch.setitem(knobs.TASKS, 'digits', task)
    monkeypatch.setattr('knob_runs.EARLY', 2)
    first_stage = ['--first-stage', tmp_path / 'first_stage.pth']
    lengths = [word for pair in LENGTHS.items() for word in pair]

    def run(*flags):
        argv = ['knobs.py', tmp_path / 'out', *lengths, *first_stage, *flags]
        monkeypatch.setattr(sys, 'argv', [*map(str, argv)])
        knobs.main()
        return capsys.readouterr().out

    return run


def rows(tables, **results):
    """Cells of each knob, and the verdict; the metrics are a and FD."""
    found = {name: dict(a=v, fd=v) for name, v in results.items()}
    titles = {name: f'the {name}' for name in results}
    made = tables.Table(titles, dict(a='a', fd='FD'), found, 'base')
    lines = str(made).splitlines()[2:]
    return [line[2:-2].split(' | ') for line in lines], made.verdict()


def test_differences_are_in_units_of_the_columns_spread(tables):
    """Spreads 1, 1, and 4: the median is 1."""
    knob, wild = [4, 5, 6], [2, 6, 10]
    cells, verdict = rows(tables, base=[1, 2, 3], knob=knob, wild=wild)
    assert cells == [
        ['the base', '2.0 +- 1.0', '2.0 +- 1.0'],
        ['the knob', '**5.0 +- 1.0** (+3.0)', '5.0 +- 1.0 (+3.0)'],
        ['the wild', '6.0 +- 4.0 (+1.0)', '6.0 +- 4.0 (+1.0)'],
    ]
    assert verdict == (
        'By 3 spreads or more better than the base: the knob (a). '
        'Worse: the knob (FD).'
    )
    cells, _ = rows(tables, base=knob, knob=[1, 2, 3])
    assert cells[1][1:] == ['2.0 +- 1.0 (-3.0)', '**2.0 +- 1.0** (-3.0)']


def test_values_that_never_vary_have_no_difference(tables):
    one, same = '1.000 +- 0.000', [1.0, 1.0]
    cells, verdict = rows(tables, base=same, knob=same)
    assert cells[1][1:] == [one, one] and verdict.endswith('Worse: none.')
    cells, verdict = rows(tables, base=[0.5, 0.5], knob=same)
    assert cells[1][1:] == [f'**{one}**', one]
    assert verdict.endswith('(a). Worse: the knob (FD).')


def test_small_numbers_of_a_large_spread_have_no_places(tables):
    assert tables.mean_and_spread([390, 410]) == '400 +- 14'


def test_a_table_replaces_what_is_between_its_markers(tables, tmp_path):
    page = tmp_path / 'page.md'
    text = 'a\n<!-- x: begin -->\n{}\n<!-- x: end -->\n<!-- y: begin -->\n'
    page.write_text(text.format('old\nold'))
    tables.write_into(page, 'x', r'\1 new')
    assert page.read_text() == text.format(r'\1 new')
    with pytest.raises(ValueError, match='write <!-- y: begin --> and <!-- y'):
        tables.write_into(page, 'y', 'new')


def test_the_page_has_each_knob_and_place(knobs, tables, tmp_path):
    text = PAGE.read_text()
    cells = re.findall(r'^\| (`.*?) \|', text, re.M)
    listed = {name for cell in cells for name in re.findall('`(.+?)`', cell)}
    known = {name for task in knobs.TASKS.values() for name in task.knobs}
    assert listed - {'--knobs'} == known
    copy = tmp_path / 'page.md'
    copy.write_text(text)
    for name in knobs.TASKS:
        tables.write_into(copy, f'knobs {name}', 'new')
    task = knobs.TASKS['photographs']
    batch = task.options['train_dataloader.global_batch_size']
    assert f'{task.crops:,} crops' in text and f'batches of {batch}' in text


def test_the_pages_guide_is_the_model_itself(tmp_path):
    (block,) = re.findall(
        r'```python\n(# The guide.*?)```', PAGE.read_text(), re.S
    )
    path = tmp_path / 'config.py'
    path.write_text(block.replace("'./", f"'{ROOT}/configs/ldm/"))
    model = Config.fromfile(path).model
    assert model.guide == model.denoiser and model.guidance.scale == 2


@pytest.mark.parametrize('name', ['digits', 'photographs'])
def test_each_knob_changes_the_config(knobs, name, tmp_path):
    """And its parts can be built."""
    from knob_runs import Bench

    task = knobs.TASKS[name]
    bench = Bench(task, tmp_path, 1, 2, 3)
    base = bench._config({}, tmp_path).model
    for knob in task.knobs.values():
        model = bench._config(knob.options, tmp_path).model
        assert (model != base) == bool(knob.options)
        scheduler = DIFFUSION_SCHEDULERS.build(model.diffusion_scheduler)
        assert len(scheduler.levels()) == scheduler.num_steps + 1
        sampler = base.diffusion_scheduler.timestep_sampler
        stratified = scheduler.timestep_sampler.stratified
        assert stratified == sampler.get('stratified', False)
        DIFFUSION_SCHEDULERS.build(model.guidance)


def test_the_centre_of_edm_is_that_of_the_paper(knobs):
    """P_mean for data with a deviation of 1 in place of 0.5."""
    options = knobs.TASKS['digits'].knobs['edm'].options
    (mean,) = (v for k, v in options.items() if k.endswith('.mean'))
    fraction = (-1.2 + math.log(2) - math.log(0.002)) / math.log(80 / 0.002)
    assert mean == pytest.approx(fraction, abs=1e-4)
    assert f'mean={mean}' in PAGE.read_text()


@pytest.mark.slow
def test_runs_are_made_once_and_give_a_table(run, tmp_path):
    names = ['base', 'eps', 'no-average', 'autoguidance']
    out = run('--knobs', *names[:2])
    assert '4 runs, 4 of them to make' in out
    assert '4/4 eps, seed 1: accuracy ' in out and '; 0 min left' in out
    page = tmp_path / 'page.md'
    page.write_text('<!-- knobs digits: begin -->\n<!-- knobs digits: end -->')
    out = run('--knobs', *names, '--page', page)
    assert '8 runs, 4 of them to make' in out
    rows = re.findall(
        r'^\| ([^|]+) \| [\d.e*]+.* \+- ', page.read_text(), re.M
    )
    assert [row[:8] for row in rows] == [
        'the base',
        'noise pr',
        'autoguid',
        'no avera',
    ]
    folder = tmp_path / 'out' / 'digits'
    assert not (folder / 'train_eps_0').exists()
    check_averages(folder / 'train_base_1')
    result = json.loads((folder / 'base_0.json').read_text())
    assert {*result['metrics']} == {'class_accuracy', 'frechet/distance'}
    assert result['iterations'] == 4 and result['torch'] == torch.__version__
    with pytest.raises(ValueError, match='has num=10, and --num is 11'):
        run('--num', 11)


def check_averages(folder):
    """The average with decay 0 is the last weights, others are not."""
    last = read_checkpoint(folder / 'iter_4.pth')
    none, short = (
        read_checkpoint(folder / f'average_{decay}.pth')['state_dict']
        for decay in ('0.0', '0.9')
    )
    for name, weight in last['raw_state_dict'].items():
        torch.testing.assert_close(none[name], weight, rtol=1e-6, atol=1e-9)
    assert any(
        not torch.equal(short[name], weight)
        for name, weight in last['raw_state_dict'].items()
    )


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--seeds', '1'], '--seeds 1 has no spread: give 2 or more'),
        (['--knobs', 'epss'], "--knobs.*'epss'.*'eps'"),
        (['--knobs', 'eps'], 'add base to --knobs'),
    ],
)
def test_impossible_flags_are_refused(run, knobs, monkeypatch, flags, message):
    monkeypatch.setattr(knobs, 'run_all', lambda args, task: None)
    with pytest.raises(ValueError, match=message):
        run(*flags)
