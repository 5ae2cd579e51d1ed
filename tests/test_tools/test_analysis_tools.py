"""The tools around a training: logs, costs, schedules, files."""

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmldm.apis.file_report import report_file
from mmldm.apis.first_stage_comparison import trainings
from mmldm.apis.first_stage_comparison.trainings import CHANNELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.model_file import write_model_file

ROOT = Path(__file__).parents[2]
FOLDER = 'analysis_tools'
SHIPPED = 'mmldm::ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'


@pytest.fixture
def log(tmp_path):
    folder = tmp_path / 'run/1/vis_data'
    folder.mkdir(parents=True)
    lines = [
        json.dumps(dict(iter=i, step=i, loss=1 / i, lr=0.1, time=0.2))
        for i in range(1, 5)
    ]
    (folder / 'scalars.json').write_text('\n'.join(lines))
    return tmp_path / 'run'


@pytest.fixture
def model_file(tiny_ldm, ldm_config, tmp_path):
    path = tmp_path / 'model.safetensors'
    weights = tiny_ldm().state_dict()
    write_model_file(path, weights, ldm_config().to_dict())
    return path, weights


def test_curves_are_written(log, call_tool, tmp_path):
    out = tmp_path / 'curves.png'
    flags = ('--keys', 'loss', 'lr', '--smooth', 0.5, '--out', out)
    call_tool(f'{FOLDER}/analyze_logs', 'plot_curve', log, log, *flags)
    assert cv2.imread(str(out)).std() > 0


def test_the_table_has_first_last_and_least(log, call_tool, capsys):
    call_tool(f'{FOLDER}/analyze_logs', 'table', log)
    (line,) = [
        line.split()
        for line in capsys.readouterr().out.splitlines()
        if line.startswith('loss')
    ]
    assert line == ['loss', '1', '0.25', '0.25', 'at', '4']


def test_every_log_needs_a_name_of_the_legend(log, call_tool):
    flags = ('--legend', 'one')
    with pytest.raises(ValueError, match='--legend has 1 names for 2 logs'):
        call_tool(f'{FOLDER}/analyze_logs', 'plot_curve', log, log, *flags)


def test_a_config_is_printed_with_its_options(call_tool, capsys):
    flags = ('--key', 'train_dataloader', '--cfg-options')
    option = 'train_dataloader.num_workers=3'
    call_tool(f'{FOLDER}/print_config', SHIPPED, *flags, option)
    assert 'num_workers = 3' in capsys.readouterr().out


def test_an_unknown_key_has_its_neighbour_named(call_tool):
    flags = ('--key', 'model.denoser')
    with pytest.raises(ValueError, match="denoser .*'denoiser'"):
        call_tool(f'{FOLDER}/print_config', SHIPPED, *flags)


def test_costs_of_a_config(call_tool, capsys):
    flags = ('--shape', 32, 64, '--processes', 3)
    call_tool(f'{FOLDER}/get_flops', SHIPPED, *flags)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '1 x 3 x 32 x 64'
    assert any('sample, 30 evaluations' in line for line in lines)
    assert any('each of 3 processes' in line for line in lines)


def test_costs_are_of_images_of_the_training(call_tool, capsys):
    call_tool(f'{FOLDER}/get_flops', SHIPPED)
    assert capsys.readouterr().out.splitlines()[0] == '1 x 3 x 32 x 32'


def test_schedules_are_plotted(call_tool, tmp_path):
    out = tmp_path / 'schedules.png'
    flags = ('--save-path', out, '--steps', 5)
    call_tool(f'{FOLDER}/vis_scheduler', SHIPPED, *flags)
    assert cv2.imread(str(out)).std() > 0


def test_speed_of_all_that_a_config_does(config, call_tool, capsys):
    flags = ('--max-iter', 1, '--num-warmup', 0, '--cfg-options')
    option = 'val_dataloader.batch_size=2'
    call_tool(f'{FOLDER}/benchmark', config, *flags, option)
    lines = capsys.readouterr().out.splitlines()[-3:]
    found = [line.split()[:2] for line in lines]
    assert found == [['dataloader', '4'], ['training', '4'], ['sampling', '2']]


def test_a_benchmark_needs_the_data_it_is_asked_for(config, call_tool):
    flags = ('--task', 'dataloader', '--dataset-type', 'test')
    options = ('--cfg-options', 'test_dataloader=None', 'test_cfg=None')
    with pytest.raises(ValueError, match='no test_dataloader: set it'):
        call_tool(
            f'{FOLDER}/benchmark',
            config,
            *flags,
            *options,
            'test_evaluator=None',
        )


def test_a_sound_file_has_no_problems(model_file):
    path, weights = model_file
    report = report_file(path)
    assert not report.problems
    assert report.kind == 'model file'
    assert sum(part.values for part in report.parts) == sum(
        weight.numel() for weight in weights.values()
    )


def test_equal_weights_have_one_hash_in_any_file(model_file, tmp_path):
    path, weights = model_file
    other = tmp_path / 'other.pth'
    write_checkpoint(dict(state_dict=weights), other)
    one, two = report_file(path), report_file(other)
    assert one.content == two.content
    assert one.sha256 != two.sha256


def test_weights_that_are_not_finite_or_do_not_fit_are_problems(
    model_file, ldm_config
):
    path, weights = model_file
    name = next(n for n in weights if n.startswith('denoiser.'))
    bad = dict(weights, **{name: torch.full((3, 3), float('nan'))})
    write_model_file(path, bad, ldm_config().to_dict())
    first, second = report_file(path).problems
    assert name in first and 'not finite' in first
    assert name.removeprefix('denoiser.') in second


def test_a_bad_file_does_not_end_the_report(model_file, call_tool, capsys):
    path, _ = model_file
    cut = Path(path).with_name('cut.pth')
    cut.write_bytes(b'PK')
    with pytest.raises(SystemExit):
        call_tool(f'{FOLDER}/verify_checkpoint', cut, path)
    out = capsys.readouterr().out
    assert f'{cut}: problem' in out
    assert 'The file is whole' in out


def test_too_few_images_are_noticed_before_the_trainings(
    call_tool, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainings, 'train', lambda _: pytest.fail('trained'))
    tool, flags = f'{FOLDER}/compare_first_stages', ('--work-dir', tmp_path)
    (tmp_path / 'images').mkdir()
    for i in range(3):
        pixels = np.full((70, 70, 3), 50 * i, np.uint8)
        cv2.imwrite(str(tmp_path / f'images/{i}.png'), pixels)
    with pytest.raises(ValueError, match="has 1 images in the split 'val'"):
        call_tool(tool, tmp_path / 'images', *flags)
    for flag in ('--num-images', '--num-samples'):
        with pytest.raises(ValueError, match=f'{flag}=1 must be .*>= 2'):
            call_tool(tool, tmp_path / 'images', *flags, flag, 1)


def test_a_comparison_offers_the_factors_that_it_has_channels_for():
    tool = runpy.run_path(f'{ROOT}/tools/{FOLDER}/compare_first_stages.py')
    assert tool['FACTORS'] == tuple(CHANNELS)


def test_the_plot_and_the_pictures_of_a_comparison(tmp_path):
    path = ROOT / f'tools/{FOLDER}/compare_first_stages.py'
    tool = runpy.run_path(str(path))
    measured = dict.fromkeys(
        ('psnr', 'feature_distance', 'rfid', 'encode_ms', 'decode_ms'), 2.0
    )
    measured |= dict(validation_loss=0.5, sample_distance=3.0)
    rows = [dict(measured, name=name) for name in ('kl-f4', 'kl-f8')]
    tool['plot'](rows, 'kl-f8', tmp_path / 'report.png')
    images = [[np.zeros((8, 8, 3), np.uint8)] * 3 for _ in range(5)]
    tool['draw_pictures'](
        ['kl-f4', 'kl-f8'], images, tmp_path / 'pictures.png'
    )
    for name in ('report', 'pictures'):
        assert cv2.imread(str(tmp_path / f'{name}.png')).std() > 0
