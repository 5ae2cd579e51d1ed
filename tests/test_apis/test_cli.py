import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmldm.apis import build_runner, load_config, run_tool, tool_parser
from mmldm.apis.config import read_config
from mmldm.apis.first_stages import take_first_stage
from mmldm.engine import LDMRunner
from mmldm.registry import DATASETS

CONFIGS = Path(__file__).parents[2] / 'configs'
LDM = CONFIGS / 'ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """As before the test, after it."""
    for name in ('LOCAL_RANK', 'MMLDM_DEBUG'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)


def load(*flags, config=LDM):
    """The config of a command line."""
    return load_config(tool_parser(None).parse_args([str(config), *flags]))


def test_without_flags_the_config_is_as_written():
    cfg = load()
    written = Config.fromfile(LDM)
    take_first_stage(written.model)
    for loader in ('val_dataloader', 'test_dataloader'):
        assert 'size' not in written[loader].dataset
        written[loader].dataset.size = 32  # as in training
    added = dict(
        launcher='none',
        work_dir=f'work_dirs/{LDM.stem}',
        auto_scale_lr=dict(base_batch_size=64),
    )
    assert cfg.to_dict() == {**written.to_dict(), **added}


def test_the_flags_arrive(monkeypatch):
    monkeypatch.setenv('SLURM_PROCID', '0')
    cfg = load(
        '--seed',
        '7',
        '--work-dir',
        'here',
        '--deterministic',
        '--launcher',
        'slurm',
    )
    assert cfg.randomness == dict(seed=7, deterministic=True)
    assert cfg.work_dir == 'here'
    assert cfg.launcher == 'slurm'


def test_seed_0_is_a_seed():
    cfg = load('--cfg-options', 'randomness.seed=5', '--seed', '0')
    assert cfg.randomness.seed == 0


def test_options_arrive_with_their_types():
    cfg = load(
        '--cfg-options',
        'model.denoiser.channels=32',
        'model.denoiser.channel_mults=1,2,4',
        'optim_wrapper.optimizer.lr=2e-4',
        'param_scheduler.1.end=10',
        'val_dataloader=None',
        'val_cfg=None',
        'val_evaluator=None',
    )
    assert cfg.model.denoiser.channels == 32
    assert list(cfg.model.denoiser.channel_mults) == [1, 2, 4]
    assert cfg.optim_wrapper.optimizer == dict(
        type='AdamW', lr=2e-4, betas=(0.9, 0.99)
    )
    assert cfg.param_scheduler[1]['end'] == 10
    assert cfg.val_dataloader is None


def test_a_dict_with_a_type_takes_the_place_of_a_list():
    cfg = load('--cfg-options', "param_scheduler={'type': 'ConstantLR'}")
    assert cfg.param_scheduler == dict(type='ConstantLR')
    cfg = load('--cfg-options', "param_scheduler.0={'type': 'LinearLR'}")
    assert cfg.param_scheduler[0].start_factor == 0.02
    with pytest.raises(ValueError, match='param_scheduler.9'):
        load('--cfg-options', "param_scheduler.9={'type': 'LinearLR'}")


def test_options_may_be_dicts_and_lists_of_them():
    cfg = load(
        '--cfg-options',
        "custom_hooks=[{'type': 'AddressedSeedHook'}]",
        "model.guidance={'_delete_': True, 'type': 'NoGuidance'}",
    )
    assert cfg.custom_hooks == [dict(type='AddressedSeedHook')]
    assert cfg.model.guidance == dict(type='NoGuidance')
    with pytest.raises(ValueError, match='model.guidance=.a: 3.: write dicts'):
        load('--cfg-options', 'model.guidance={a: 3}')


def test_a_work_dir_in_the_config_counts_unless_a_flag_names_one(tmp_path):
    config = tmp_path / 'child.py'
    config.write_text(f"_base_ = ['{LDM}']\nwork_dir = 'theirs'\n")
    assert load(config=config).work_dir == 'theirs'
    assert load('--work-dir', 'here', config=config).work_dir == 'here'


@pytest.mark.parametrize('flag', ['--local-rank', '--local_rank'])
def test_the_local_rank_of_a_launcher_reaches_mmengine(flag, monkeypatch):
    load(flag, '1')
    assert os.environ['LOCAL_RANK'] == '1'
    monkeypatch.setenv('LOCAL_RANK', '3')  # torchrun sets it itself
    load(flag, '1')
    assert os.environ['LOCAL_RANK'] == '3'


def test_a_missing_config_is_named():
    with pytest.raises(FileNotFoundError, match='config a.py does not exist'):
        load(config='a.py')


@pytest.mark.parametrize(
    'option, message',
    [
        ('model.denoiser.chanels=3', 'model.denoiser.*chanels.*channels'),
        ('modle.denoiser.channels=3', "modle.*did you mean 'model'"),
        ('model.denoiser.channels=abc', "channels='abc' must be int"),
    ],
)
def test_a_mistaken_option_is_refused(option, message):
    with pytest.raises(ValueError, match=message):
        load('--cfg-options', option)


FOLDERS = """
_base_ = ['{base}']
train_dataloader = dict(dataset=dict(
    _delete_=True, type='ImageFolder', data_root='a', pipeline=[]))
val_dataloader = dict(dataset=dict(
    _delete_=True, type='ImageFolder', data_root={val}, pipeline=[]))
test_dataloader = dict(dataset=dict(
    _delete_=True, type='ImageFolder', data_root={test}, pipeline=[]))
"""


def test_a_folder_not_named_is_the_one_of_training(tmp_path):
    config = tmp_path / 'child.py'
    config.write_text(FOLDERS.format(base=LDM, val=None, test="'c'"))
    cfg = load(
        '--cfg-options', 'train_dataloader.dataset.data_root=b', config=config
    )
    assert cfg.train_dataloader.dataset.data_root == 'b'
    assert cfg.val_dataloader.dataset.data_root == 'b'
    assert cfg.test_dataloader.dataset.data_root == 'c'


def test_a_size_not_given_is_the_one_of_training():
    cfg = load(
        '--cfg-options',
        'train_dataloader.dataset.size=16',
        'test_dataloader.dataset.size=8',
    )
    assert cfg.val_dataloader.dataset.size == 16
    assert cfg.test_dataloader.dataset.size == 8


def test_data_that_need_no_folder_get_none():
    assert 'data_root' not in load().val_dataloader.dataset


def test_a_config_may_be_for_tests_alone():
    cfg = load(
        '--cfg-options',
        'train_dataloader=None',
        'train_cfg=None',
        'optim_wrapper=None',
    )
    assert cfg.train_dataloader is None


def test_the_config_names_the_runner(monkeypatch):
    monkeypatch.setattr(
        LDMRunner, 'from_cfg', classmethod(lambda built, cfg: built)
    )
    cfg = load('--cfg-options', 'model.autoencoder_checkpoint=None')
    assert build_runner(cfg) is LDMRunner


@pytest.mark.parametrize(
    'runner_type, given',
    [
        ({}, 'missing'),
        (dict(runner_type='Runner'), "'Runner'"),
        (dict(runner_type='FlexibleRunner'), "'FlexibleRunner'"),
        (dict(runner_type='LDMRuner'), "'LDMRuner'"),
    ],
)
def test_a_runner_that_is_not_ours_is_refused(runner_type, given):
    message = f"runner_type is {given}: set runner_type='mmldm.LDMRunner'"
    with pytest.raises(ValueError, match=message):
        build_runner(Config(runner_type))


def failing(error):
    """A tool that raises an error."""

    def main():
        raise error

    return main


def verdict_on(main):
    """What a tool says at its end; text means status 1, by sys.exit."""
    with pytest.raises(SystemExit) as stop:
        run_tool(main)
    assert isinstance(stop.value.code, str)
    return stop.value.code


@pytest.mark.parametrize(
    'error',
    [
        ValueError('the value is wrong'),
        FileNotFoundError('the value is wrong'),
        ValueError('the value\n  is wrong'),
    ],
)
def test_a_mistake_of_the_user_ends_in_one_line(error):
    line, remark = verdict_on(failing(error)).splitlines()
    assert line == 'error: the value is wrong'
    assert 'MMLDM_DEBUG=1' in remark


def test_what_a_part_refuses_ends_in_one_line():
    verdict = verdict_on(
        lambda: DATASETS.build(
            dict(type='DigitsDataset', split='trian', size=8, pipeline=[])
        )
    )
    assert verdict.startswith("error: DigitsDataset.split='trian' is not")


@pytest.mark.parametrize('kind', [AttributeError, KeyError, TypeError])
def test_a_mistake_of_ours_keeps_its_traceback(kind):
    with pytest.raises(kind, match='of ours'):
        run_tool(failing(kind('of ours')))


def test_a_mistake_of_the_user_is_traced_on_demand(monkeypatch):
    monkeypatch.setenv('MMLDM_DEBUG', '1')
    with pytest.raises(ValueError, match='theirs'):
        run_tool(failing(ValueError('theirs')))


def test_an_interrupted_tool_tells_how_to_go_on():
    assert '--resume' in verdict_on(failing(KeyboardInterrupt()))


def test_a_tool_that_ends_well_says_nothing(capsys):
    run_tool(lambda: None)
    assert capsys.readouterr() == ('', '')


def test_a_quote_at_the_end_of_a_message_stays():
    verdict = verdict_on(failing(ValueError("no argument 'lrr'")))
    assert verdict.startswith("error: no argument 'lrr'\n")


@pytest.mark.parametrize(
    'key',
    [
        'model.denoiser.channels.x',
        'val_evaluator.prefix',
        'param_scheduler.7.end',
    ],
)
def test_an_option_that_leads_nowhere_is_a_mistake_of_the_user(key):
    verdict = verdict_on(lambda: load('--cfg-options', f'{key}=1'))
    assert verdict.startswith(f'error: --cfg-options {key}')


@pytest.mark.parametrize(
    'text',
    [
        "_base_ = ['no_such_file.py']",
        'model = dict(',
        "custom_imports = dict(imports=['no_such_module'])",
    ],
    ids=['base', 'syntax', 'import'],
)
def test_a_config_that_cannot_be_read_is_a_mistake_of_the_user(tmp_path, text):
    config = tmp_path / 'child.py'
    config.write_text(text)
    assert verdict_on(lambda: load(config=config)).startswith('error: ')


REMEDY = (
    "custom_imports: No module named 'no_such_module': export "
    'PYTHONPATH=FOLDER, the folder that has this module\n'
)


def test_a_missing_module_in_an_option_is_a_mistake_of_the_user():
    verdict = verdict_on(
        lambda: load('--cfg-options', 'custom_imports.imports=no_such_module')
    )
    assert verdict.startswith(f'error: {REMEDY}')


def test_a_missing_module_of_a_file_is_named_and_nothing_else(tmp_path):
    config = tmp_path / 'child.py'
    config.write_text("custom_imports = dict(imports=['no_such_module'])")
    verdict = verdict_on(lambda: load(config=config))
    assert verdict.startswith(f'error: config {config}: {REMEDY}')


def test_a_module_that_itself_cannot_be_imported_says_why(
    tmp_path, monkeypatch
):
    (tmp_path / 'their_broken.py').write_text('from torch import nothing')
    monkeypatch.syspath_prepend(tmp_path)
    verdict = verdict_on(
        lambda: load('--cfg-options', 'custom_imports.imports=their_broken')
    )
    assert "cannot import name 'nothing' from 'torch'" in verdict
    assert 'PYTHONPATH' not in verdict


@pytest.mark.parametrize(
    'code',
    [
        '!!python/object/apply:os.system ["touch CANARY"]',
        '!!python/object/new:os.system ["touch CANARY"]',
        '!!python/name:os.system',
        '!!python/module:os',
    ],
)
def test_a_yaml_config_executes_nothing(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'config.yaml').write_text(f'model:\n  type: {code}\n')
    told = 'config.yaml is not a yaml file: could not determine'
    with pytest.raises(ValueError, match=told):
        read_config('config.yaml')
    assert not (tmp_path / 'CANARY').exists()


def test_a_message_holds_nothing_that_a_terminal_obeys(capsys):
    def fail():
        raise ValueError('no key \x1b]0;title\x07\x1b[2J\u202e in gr\u00fcn')

    with pytest.raises(SystemExit) as ended:
        run_tool(fail)
    told = str(ended.value).splitlines()[0]
    assert told == (
        'error: no key \\x1b]0;title\\x07\\x1b[2J\\u202e in gr\u00fcn'
    )


def test_a_tool_leaves_the_other_processes_when_it_is_done(tmp_path):
    """Open connections abort a process at its end, now and then."""
    torch.distributed.init_process_group(
        'gloo',
        store=torch.distributed.FileStore(str(tmp_path / 'store'), 1),
        rank=0,
        world_size=1,
    )
    run_tool(lambda: None)
    assert not torch.distributed.is_initialized()
