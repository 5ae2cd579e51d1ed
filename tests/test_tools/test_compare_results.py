"""Results of several tests beside each other."""

import json

import cv2
import pytest

TOOL = 'analysis_tools/compare_results'


@pytest.fixture
def results(tmp_path):
    """Three tests with 20, 5 and 10 steps, on other days."""
    paths = []
    for steps in (20, 5, 10):
        protocol = dict(
            sampling=dict(num_steps=steps, solver=dict(type='DDIM')),
            environment=dict(date=f'2026-11-{steps:02}'),
        )
        content = dict(metrics={'a/fd': 100 / steps}, protocol=protocol)
        path = tmp_path / f'{steps}_protocol.json'
        path.write_text(json.dumps(content))
        paths.append(path)
    return paths


def test_the_table_has_what_differs(results, call_tool, capsys):
    """Neither what is equal nor the day."""
    call_tool(TOOL, *results)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '| file | sampling.num_steps | a/fd |'
    assert lines[2].endswith('20_protocol.json | 20 | 5 |')
    assert len(lines) == 5


def test_a_curve_is_drawn_in_order(results, call_tool, tmp_path):
    from mmldm.apis.result_table import curves, read_result

    out = tmp_path / 'fd.png'
    flags = ('--x', 'sampling.num_steps', '--y', 'a/fd', '--plot', out)
    call_tool(TOOL, *results, *flags)
    assert cv2.imread(str(out)) is not None
    read = [read_result(str(path)) for path in results]
    points = curves(read, 'sampling.num_steps', 'a/fd')
    assert points == {'': [(5, 20), (10, 10), (20, 5)]}


def test_other_settings_have_lines_of_their_own(results):
    from mmldm.apis.result_table import curves, read_result

    read = [read_result(str(path)) for path in results]
    read[1].settings['sampling.guidance.scale'] = 2.0
    assert curves(read, 'sampling.num_steps', 'a/fd') == {
        'scale=None': [(10, 10), (20, 5)],
        'scale=2.0': [(5, 20)],
    }


def test_a_work_directory_has_its_result(results, call_tool, tmp_path, capsys):
    results[0].rename(tmp_path / 'metrics_protocol.json')
    call_tool(TOOL, tmp_path)
    assert '/metrics_protocol.json | 5 |' in capsys.readouterr().out


def test_entries_of_lists_have_their_number(results, call_tool, capsys):
    """The side of the second network; a list of numbers stays one value."""
    for side, path in enumerate(results):
        content = json.loads(path.read_text())
        networks = [dict(side=224), dict(side=side, mean=[1, 2])]
        content['protocol']['judges'] = networks
        path.write_text(json.dumps(content))
    from mmldm.apis.result_table import curves, read_result

    read = [read_result(str(path)) for path in results]
    assert read[0].settings['judges.1.mean'] == [1, 2]
    found = curves(read, 'judges.1.side', 'a/fd').values()
    assert sorted(sum(found, [])) == [(0, 5), (1, 20), (2, 10)]
    call_tool(TOOL, *results)
    head = capsys.readouterr().out.splitlines()[0]
    assert head == '| file | judges.1.side | sampling.num_steps | a/fd |'


@pytest.mark.parametrize(
    'x, y, message',
    [
        ('sampling.solver.type', 'a/fd', "no number 'sampling.solver.type'"),
        ('sampling.num_steps', 'b', "no metric 'b': give one of a/fd"),
    ],
)
def test_what_cannot_be_plotted_is_named(
    results, call_tool, tmp_path, x, y, message
):
    flags = ('--x', x, '--y', y, '--plot', tmp_path / 'a.png')
    with pytest.raises(ValueError, match=message):
        call_tool(TOOL, *results, *flags)


def test_a_plot_needs_both_names(results, call_tool, tmp_path):
    with pytest.raises(ValueError, match='--plot needs --x and --y'):
        call_tool(TOOL, *results, '--plot', tmp_path / 'a.png')


@pytest.mark.parametrize('content', ['{}', 'no json', '[1]'])
def test_another_file_is_refused(call_tool, tmp_path, content):
    path = tmp_path / 'metrics.json'
    path.write_text(content)
    with pytest.raises(ValueError, match='metrics.json is no result'):
        call_tool(TOOL, path)
    with pytest.raises(FileNotFoundError, match='b.json does not exist'):
        call_tool(TOOL, tmp_path / 'b.json')
