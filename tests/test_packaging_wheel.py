"""A wheel, built and installed as users do, works in an empty folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCES = (
    'CITATION.cff',
    'CONTRIBUTING.md',
    'LICENSE',
    'MANIFEST.in',
    'README.md',
    'configs',
    'demo',
    'docs',
    'mmldm',
    'model-index.yml',
    'pyproject.toml',
    'requirements',
    'setup.py',
    'tests',
    'tools',
)
FIRST_STAGE = """
_base_ = 'mmldm::autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'
train_dataloader = dict(global_batch_size=4)
train_cfg = dict(max_iters=2, val_interval=2)
"""
LDM = """
_base_ = 'mmldm::ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder_checkpoint='work_dirs/first_stage',
    denoiser=dict(channels=64, num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=2))
train_dataloader = dict(global_batch_size=4)
val_dataloader = dict(dataset=dict(num_samples=4))
test_dataloader = dict(batch_size=4, dataset=dict(num_samples=10))
train_cfg = dict(max_iters=2, val_interval=2)
"""
HUB = """
import mmengine.hub, mmldm
name = 'mmldm::autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'
print(mmengine.hub.get_config(name).filename)
print(type(mmengine.hub.get_model(name)).__name__)
print(mmldm.__file__)
"""


def call(*command, cwd):
    """The output of a command that must succeed."""
    hidden = ('PYTHONPATH', 'PYTHON', 'VIRTUAL_ENV', 'MMLDM_VENV')
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k not in hidden},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments, cwd):
    offline = ('--no-deps', '--no-index', '--quiet')
    return call(sys.executable, '-m', 'pip', *arguments, *offline, cwd=cwd)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """The files of a checkout, with its links and without what it built."""
    folder = tmp_path_factory.mktemp('source') / 'mmldm'
    folder.mkdir()
    skip = shutil.ignore_patterns('__pycache__')
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, symlinks=True, ignore=skip
            )
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    """As ``python -m build`` makes it: from a source release."""
    out = tmp_path_factory.mktemp('dist')
    build = (
        'import sys, setuptools.build_meta as b; b.build_sdist(sys.argv[1])'
    )
    call(sys.executable, '-c', build, out, cwd=source)
    (release,) = out.glob('mmldm-*.tar.gz')
    pip('wheel', '--no-build-isolation', release, cwd=out)
    (path,) = out.glob('mmldm-*.whl')
    return path


@pytest.fixture(scope='module')
def new_venv(tmp_path_factory):
    """Makes environments that see this one's packages, but no mmldm."""

    def make(*install):
        venv = tmp_path_factory.mktemp('venv')
        call(sys.executable, '-m', 'venv', '--without-pip', venv, cwd=venv)
        names = f'lib/python{sysconfig.get_python_version()}/site-packages'
        # A line of a .pth file adds a folder, not what its own .pth files
        # add: an editable mmldm stays out.
        paths = {sysconfig.get_path(kind) for kind in ('purelib', 'platlib')}
        (venv / names / 'heavy.pth').write_text('\n'.join(sorted(paths)))
        python = venv / 'bin' / 'python'
        pip(
            '--python',
            python,
            'install',
            '--ignore-installed',
            *install,
            cwd=venv,
        )
        return venv

    return make


@pytest.fixture(scope='module')
def installed(new_venv, wheel):
    return new_venv(wheel)


def test_the_wheel_holds_what_users_need(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = {*file.namelist()}
        (metadata,) = (n for n in names if n.endswith('.dist-info/METADATA'))
        said = file.read(metadata).decode()
    for folder in ('configs', 'demo', 'tools'):
        files = {
            f'mmldm/.mim/{path.relative_to(ROOT).as_posix()}'
            for path in (ROOT / folder).rglob('*')
            if path.is_file() and '__pycache__' not in path.parts
        }
        left_out = {Path(name).name for name in files - names}
        of_checkouts = {'quickstart.sh', 'run_tests.sh', 'setup_env.sh'}
        assert left_out == (of_checkouts if folder == 'tools' else set())
    assert {'mmldm/.mim/model-index.yml', 'mmldm/py.typed'} <= names
    assert {'mmldm/apis/__init__.pyi', 'mmldm/utils/__init__.pyi'} <= names
    assert not [name for name in names if name.startswith(('tests', 'docs'))]
    for line in (
        'Requires-Python: <3.14,>=3.11',
        'License-Expression: Apache-2.0',
        'Requires-Dist: mmengine<0.12,>=0.10.4',
        'Requires-Dist: mmcv-lite<2.2.0,>=2.0.0',
        'Requires-Dist: mmagic<1.3,>=1.2.0',
    ):
        assert f'{line}\n' in said


@pytest.fixture(scope='module')
def trained(installed, tmp_path_factory):
    """A folder where the command has trained both stages."""
    folder = tmp_path_factory.mktemp('user')
    for name, text in (('first_stage', FIRST_STAGE), ('ldm', LDM)):
        (folder / f'{name}.py').write_text(text)
        call(installed / 'bin' / 'mmldm', 'train', f'{name}.py', cwd=folder)
    return folder


def test_it_trains_tests_and_samples_in_an_empty_folder(installed, trained):
    mmldm = installed / 'bin' / 'mmldm'
    call(mmldm, 'test', 'ldm.py', 'work_dirs/ldm', cwd=trained)
    metrics = json.loads((trained / 'work_dirs/ldm/metrics.json').read_text())
    assert {'class_accuracy', 'test_accuracy_real'} <= {*metrics}
    sample = ('sample', 'ldm.py', 'work_dirs/ldm', '--label', 3, '--num', 2)
    call(mmldm, *sample, '--out', 'drawn', cwd=trained)
    assert len([*(trained / 'drawn').rglob('*.png')]) == 3  # and the grid


def test_a_converted_folder_can_be_moved(installed, trained):
    mmldm = installed / 'bin' / 'mmldm'
    out = ('first_stage.py', 'work_dirs/first_stage', 'theirs')
    call(mmldm, 'convert', 'to-diffusers', *out, cwd=trained)
    call(mmldm, 'convert', 'diffusers', 'theirs', 'ours', cwd=trained)
    moved = trained / 'another' / 'place'
    moved.parent.mkdir()
    (trained / 'ours').rename(moved)
    out = (moved / 'config.py', moved / 'model.safetensors', 'again')
    call(mmldm, 'convert', 'to-diffusers', *out, cwd=trained)
    for name in ('theirs', 'again'):
        assert (trained / name / 'config.json').is_file()


def test_mmengines_hub_builds_its_models(installed, tmp_path):
    python = installed / 'bin' / 'python'
    config, kind, module = call(python, '-c', HUB, cwd=tmp_path).split()
    assert kind == 'FirstStage'
    package = Path(module).parent
    assert installed in package.parents
    assert Path(config).is_relative_to(package / '.mim' / 'configs')


def test_an_editable_install_finds_the_configs_of_its_checkout(
    new_venv, source, tmp_path
):
    venv = new_venv('--no-build-isolation', '--editable', source)
    python = venv / 'bin' / 'python'
    config, kind, module = call(python, '-c', HUB, cwd=tmp_path).split()
    assert kind == 'FirstStage'
    assert Path(module) == source / 'mmldm' / '__init__.py'
    assert Path(config).resolve().is_relative_to(source / 'configs')


def test_a_package_without_its_configs_is_not_built(source, tmp_path):
    """Where links were lost, as in a download without them."""
    broken = tmp_path / 'broken'
    shutil.copytree(source, broken, symlinks=True)
    (broken / 'mmldm' / '.mim' / 'configs').unlink()
    done = subprocess.run(
        [sys.executable, 'setup.py', '--version'],
        cwd=broken,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert 'mmldm/.mim lacks configs' in done.stderr
