"""Config files that are none: one line, and nothing waits or swells."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmldm.apis.config import read_config

ROOT = Path(__file__).parents[3]
TRAIN = 'tools/train.py'
TEXTS = {
    'circle.py': ("_base_ = 'circle.py'", 'inherits from itself'),
    'missing.py': ("_base_ = 'none.py'", 'none.py does not exist'),
    'number.py': ('_base_ = 3', '_base_ holds 3'),
    'none.py': ('_base_ = [None]', '_base_ holds None'),
    'dict.py': ('_base_ = dict(a=1)', '_base_ holds'),
    'folder.py': ("_base_ = '/'", 'is a folder'),
    'divided.py': ('_base_ = [1 / 0]', 'ZeroDivisionError'),
    'twice.py': ("_base_ = ['empty.py', 'empty.py']\nx = y", "'y' is not def"),
    'exit.py': ('x = 1\nraise SystemExit(0)', 'line 2: SystemExit'),
    'quiet.py': ('import sys\nsys.exit()', 'line 2: SystemExit'),
    'stop.py': ('raise KeyboardInterrupt', 'line 1: KeyboardInterrupt'),
    'zero.py': ('x = 1\ny = 1 / 0', 'line 2: ZeroDivisionError'),
    'name.py': ('x = yy', "line 1: NameError: name 'yy'"),
    'key.py': ("x = {}['a']", 'line 1: KeyError: a'),
    'deep.py': ('def f():\n    return f()\nx = f()', 'RecursionError'),
    'assert.py': ("assert False, 'no'", 'line 1: AssertionError: no'),
    'syntax.py': ('model = dict(', 'was never closed'),
    'empty.py': ('', 'has no optim_wrapper'),
    'env.py': ("x = '{{$NOT_THERE:}}'", 'NOT_THERE'),
    'config.txt': ('model = 3', 'expected one of .py'),
    'list.yaml': ('- 1', 'holds a list'),
    'broken.yaml': ('a: [1', 'is not a yaml file'),
    'empty.yaml': ('', 'holds a NoneType'),
    'twice.yaml': ('a: 1\na: 2', "line 2 gives 'a' twice"),
    'code.yaml': (
        'a: !!python/object/apply:os.getpid []',
        'is not a yaml file',
    ),
    'circle.yaml': ('a: &a [*a]', 'line 1 refers to itself'),
    'list.json': ('[1]', 'holds a list'),
    'broken.json': ('{', 'is invalid JSON'),
    'twice.json': ('{"a": 1, "a": 2}', "'a' is given twice"),
    'deep.json': ('[' * 100_000, 'is invalid JSON'),
}
ALIASES = 'a0: &a0 [x, x]\n' + ''.join(
    f'a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n' for i in range(1, 40)
)
MERGES = 'a0: &a0 {x: 1}\n' + ''.join(
    f'a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n' for i in range(1, 40)
)


@pytest.mark.parametrize('name', TEXTS)
def test_a_config_that_is_none_says_why(verdict, tmp_path, name):
    (tmp_path / 'empty.py').touch()
    text, told = TEXTS[name]
    (tmp_path / name).write_text(text)
    line = verdict(TRAIN, tmp_path / name)
    assert told in line
    assert name in line


def test_a_circle_of_two_is_named(tmp_path):
    (tmp_path / 'a.py').write_text("_base_ = 'b.py'")
    (tmp_path / 'b.py').write_text("_base_ = ['a.py']")
    with pytest.raises(ValueError, match='a.py -> .*b.py -> .*a.py'):
        read_config(tmp_path / 'a.py')


def test_a_base_may_be_read_twice(tmp_path):
    """But not as often as 2^30, which a chain of thirty files asks for."""
    for i in range(30):
        text = f"_base_ = ['{i + 1}.py', '{i + 1}.py']" * (i < 29)
        (tmp_path / f'{i}.py').write_text(text)
    (tmp_path / 'leaf.py').write_text("_base_ = ['28.py']\nx = 1")
    assert read_config(tmp_path / 'leaf.py').x == 1
    with pytest.raises(ValueError, match='more than 200 files'):
        read_config(tmp_path / '0.py')


@pytest.mark.parametrize(
    'content, told',
    [
        (b'# \xe9\nx = 1', 'expected UTF-8'),
        (b'x = 1\0', 'null byte'),
        (b'x = 1 ' + b'#' * 10**7, 'expected at most'),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path, content, told):
    path = tmp_path / 'config.py'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=told):
        read_config(path)


@pytest.fixture
def special(tmp_path):
    """Paths that are no files, by what they are."""
    os.mkfifo(tmp_path / 'pipe.py')
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / 'socket.py'))
        yield {
            'a named pipe': tmp_path / 'pipe.py',
            'a socket': tmp_path / 'socket.py',
            'a folder': tmp_path,
            'a device': '/dev/zero',
        }


def test_what_is_no_file_is_not_read(verdict, special, files):
    for kind, path in special.items():
        assert f'is {kind}' in verdict(TRAIN, path)
        config = files / 'ldm.py'
        if kind != 'a folder':
            assert f'is {kind}' in verdict('tools/test.py', config, path)
            line = verdict(TRAIN, config, '--resume', path)
            assert f'is {kind}' in line
        line = verdict('demo/edit_image.py', 'vary', files / 'ldm.pth', path)
        assert f'is {kind}' in line
        line = verdict('tools/sample.py', 'MODEL', '--image', path)
        assert f'--image {path} is {kind}' in line
        line = verdict(
            'tools/model_converters/compvis_to_mmldm.py',
            path,
            files / 'ldm.pth',
            'out',
        )
        assert f'is {kind}' in line


FLAGS = [
    (['--work-dir', ''], 'work_dir'),
    (['--work-dir', ' '], 'work_dir'),
    (['--work-dir', '/dev/null/x'], 'is not a folder'),
    (['--work-dir', __file__], 'is not a folder'),
    (['--work-dir', 'y' * 300], 'work_dir'),
    (['--seed', '-1'], 'seed=-1'),
    (['--seed', '4294967296'], '[0, 4294967295]'),
    (['--seed', 'x'], '--seed'),
    (['--launcher', 'pytorch'], 'tools/dist_train.sh'),
    (['--launcher', 'slurm'], 'SLURM_PROCID'),
    (['--launcher', 'mpi'], 'mpirun'),
    (['--launcher', 'ssh'], '--launcher'),
    (['--local_rank', '-1'], '--local-rank=-1'),
    (['--resume', '/nowhere.pth'], '--resume /nowhere.pth does not exist'),
    (['--resume', ''], "--resume '' does not exist"),
    (['--amp', 'float8'], '--amp'),
    (['--cfg-options'], '--cfg-options'),
    (
        ['--auto-scale-lr', '--cfg-options', 'auto_scale_lr=None'],
        'base_batch_size',
    ),
]


@pytest.mark.parametrize('flags, told', FLAGS, ids=lambda v: ' '.join(v)[:30])
def test_a_flag_that_makes_no_sense_is_named(
    verdict, files, monkeypatch, flags, told
):
    for name in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(name, raising=False)
    assert told in verdict(TRAIN, files / 'first_stage.py', *flags)


@pytest.mark.parametrize('text', [ALIASES, MERGES], ids=['alias', 'merge'])
def test_a_short_text_is_no_endless_config(tmp_path, text):
    for name in ('bomb.yaml', 'bomb.yml'):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match='more than 100000 values'):
            read_config(tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize(
    'tool', [TRAIN, 'tools/model_converters/compvis_to_mmldm.py']
)
def test_a_short_text_cannot_fill_the_memory(tmp_path, files, tool):
    path = tmp_path / 'bomb.yaml'
    path.write_text(MERGES)
    more = (files / 'ldm.pth', tmp_path / 'out') if tool != TRAIN else ()

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))

    done = subprocess.run(
        [sys.executable, ROOT / tool, path, *more],
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 1
    assert 'holds more than 100000 values' in done.stderr
