"""What the package ships, and that it finds its own configs and tools."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import mmengine.hub
import pytest
import yaml
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import MODELS, DefaultScope

from mmldm import __main__ as console
from mmldm import apis, compat, utils
from mmldm.apis import init_model
from mmldm.apis.config import read_config
from mmldm.utils.shipped import FOLDER, config_path, shipped_configs

ROOT = Path(__file__).parents[1]
DIGITS = 'autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'
TOOLS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ('tools', 'demo')
    for path in (ROOT / folder).rglob('*.py')
    if "__name__ == '__main__'" in path.read_text()
    and not path.name.startswith('_')  # started by other tools
)
# Prints after --help which modules are loaded that must not be.
HELP = """
import runpy, sys
sys.argv = [sys.argv[1], '--help']
sys.path.insert(0, sys.argv[0].rpartition('/')[0])
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
finally:
    heavy = {'torch', 'torchvision', 'transformers', 'sklearn'}
    print(f'loaded: {sorted(heavy & {*sys.modules})}')
"""


def python(*arguments, cwd=ROOT):
    """The output of a process that must succeed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize('tool', TOOLS)
def test_help_does_not_wait_for_torch(tool):
    out = python('-c', HELP, ROOT / tool)
    assert out.startswith('usage: ')
    assert out.endswith('loaded: []\n')


@pytest.mark.parametrize('module', ['mmldm', 'mmldm.apis', 'mmldm.utils'])
def test_an_import_does_not_wait_for_torch(module):
    code = f'import sys, {module}; print("torch" in sys.modules)'
    assert python('-c', code) == 'False\n'


@pytest.mark.parametrize('package', [apis, utils])
def test_every_name_of_a_lazy_package_is_there(package):
    assert package.__all__
    for name in package.__all__:
        assert getattr(package, name).__module__.startswith(package.__name__)


def test_every_tool_is_a_command():
    scripts = {s for s in console.COMMANDS.values() if s.endswith('.py')}
    assert scripts == set(TOOLS)
    assert all((FOLDER / s).is_file() for s in console.COMMANDS.values())


def test_the_help_says_in_a_line_what_each_command_does():
    out = python('-m', 'mmldm', '--help')
    for command, script in console.COMMANDS.items():
        said = console.first_line(ROOT / script)
        assert re.search(f'^  {command} +{re.escape(said)}$', out, re.M)


def test_a_command_is_a_tool_under_its_own_name(tmp_path):
    out = python('-m', 'mmldm', 'convert', 'compvis', '--help', cwd=tmp_path)
    assert out.startswith('usage: mmldm convert compvis [-h]')
    assert 'mmldm convert compvis \\\n' in out and 'tools/' not in out


def test_a_shell_tool_is_a_command(tmp_path):
    out = python('-m', 'mmldm', 'dist-train', '--help', cwd=tmp_path)
    assert 'Usage: bash tools/dist_train.sh CONFIG GPUS' in out


@pytest.mark.parametrize(
    'words, hint',
    [
        (['trian'], "did you mean 'train'"),
        (['convert', 'compvi'], "did you mean 'convert compvis'"),
        (['convert'], 'Valid names: convert adapter, convert compvis'),
    ],
)
def test_an_unknown_command_is_refused_with_the_nearest(words, hint, capsys):
    with pytest.raises(SystemExit) as ended:
        console.find_command(words)
    assert ended.value.code == 2
    assert hint in capsys.readouterr().err


def test_configs_are_found_by_words():
    assert console.find_configs(['ldm_', 'digits', 'class_1']) == [
        'mmldm::ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
    ]
    with pytest.raises(SystemExit, match='configs has digits and no-such'):
        console.find_configs(['digits', 'no-such'])


def test_the_package_holds_every_config():
    names = {name.removeprefix('mmldm::') for name in shipped_configs()}
    files = {
        path.relative_to(ROOT / 'configs').as_posix()
        for path in (ROOT / 'configs').rglob('*.py')
    }
    assert names == {n for n in files if not n.startswith('_base_')}
    assert len(names) > 50


def test_the_index_names_every_metafile():
    index = yaml.safe_load((FOLDER / 'model-index.yml').read_text())
    files = {str(p.relative_to(ROOT)) for p in ROOT.glob('configs/*/*.yml')}
    assert {*index['Import']} == files


def test_a_config_inherits_from_one_of_the_package(tmp_path):
    path = tmp_path / 'child.py'
    path.write_text(
        f"_base_ = 'mmldm::{DIGITS}'\ntrain_cfg = dict(max_iters=7)\n"
    )
    cfg, base = read_config(path), Config.fromfile(ROOT / 'configs' / DIGITS)
    assert cfg.train_cfg.max_iters == 7
    assert cfg.model.autoencoder.channels == base.model.autoencoder.channels


def test_inheriting_needs_no_pkg_resources(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pkg_resources', None)
    path = tmp_path / 'child.py'
    path.write_text(f"_base_ = 'mmldm::{DIGITS}'\n")
    assert Config.fromfile(path).model.type == 'FirstStage'
    path.write_text("_base_ = 'mmdet::some/config.py'\n")
    with pytest.raises(ImportError, match='pkg_resources'):
        Config.fromfile(path)


def test_a_base_that_does_not_come_with_mmldm_is_named(tmp_path):
    path = tmp_path / 'child.py'
    path.write_text(f"_base_ = 'mmldm::{DIGITS[:-4]}'\n")
    with pytest.raises(FileNotFoundError, match='32x32.py.*lists all'):
        read_config(path)


def test_tools_take_a_config_by_its_name():
    name = f'mmldm::{DIGITS}'
    assert config_path(name).samefile(ROOT / 'configs' / DIGITS)
    assert read_config(name).model.type == 'FirstStage'
    for read in (read_config, lambda name: init_model(name, 'x.pth')):
        with pytest.raises(FileNotFoundError, match='32x32.py.*lists all'):
            read(name[:-4])


@pytest.fixture
def scope():
    """No default scope before the test, and after it those of before."""
    before = dict(DefaultScope._instance_dict)
    DefaultScope._instance_dict.clear()
    yield lambda: getattr(
        DefaultScope.get_current_instance(), 'scope_name', None
    )
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


def test_mmengines_hub_gives_configs_and_models(scope):
    name = 'autoencoder/autoencoder_kl-f8_1xb4-247k_images-256x256.py'
    cfg = mmengine.hub.get_config(f'mmldm::{name}')
    assert cfg.model.type == 'FirstStage'
    model = mmengine.hub.get_model(f'mmldm::{DIGITS}')
    assert type(model).__module__.startswith('mmldm.models.editors')
    assert scope() is None


def test_mmengine_is_led_to_the_package_that_runs():
    """Not to one of the same name that is installed elsewhere."""
    found = mmengine.utils.get_installed_path(MODULE2PACKAGE['mmldm'])
    assert Path(found).samefile(Path(compat.__file__).parent)


def test_registering_everything_sets_the_scope_once(scope):
    utils.register_all_modules(init_default_scope=False)
    assert scope() is None
    assert MODELS.get('mmldm.LatentDiffusion') is not None
    DefaultScope.get_instance('other', scope_name='mmengine')
    utils.register_all_modules()
    utils.register_all_modules()
    assert scope() == 'mmldm'
    assert len(DefaultScope._instance_dict) == 2


def requirements(name):
    """Specifier by distribution of a file of requirements."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    names = (re.match(r'([\w-]+)(.*)', line) for line in lines)
    return {found[1]: found[2] for found in names if found}


def test_the_required_versions_are_the_supported_ones():
    required = requirements('runtime') | requirements('mminstall')
    for package, (first, end) in compat.SUPPORTED.items():
        name = compat.PROVIDERS.get(package, (package,))[0]
        assert required[name] == f'>={first},<{end}', package


def test_the_lock_holds_all_that_is_required():
    def plain(name):
        return name.lower().replace('_', '-')

    locked = {plain(name) for name in requirements('lock')}
    for name in ('runtime', 'mminstall', 'tests'):
        assert {plain(n) for n in requirements(name)} <= locked


def test_the_typed_package_ships_its_stubs():
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())
    shipped = project['tool']['setuptools']['package-data']['mmldm']
    assert {'py.typed', '**/*.pyi'} <= {*shipped}
    assert (ROOT / 'mmldm/py.typed').is_file()
