"""Names of classes in configs are looked up, and never imported."""

import sys

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.registry import Registry

from mmldm.apis.config import check_config
from mmldm.apis.registered import check_type_name, find_class
from mmldm.models.denoisers import DenoisingUNet
from mmldm.registry import HOOKS


def test_a_name_is_found_in_its_scope():
    assert find_class('DenoisingUNet') is DenoisingUNet
    assert find_class('mmldm.DenoisingUNet') is DenoisingUNet
    assert find_class('mmengine.CheckpointHook') is CheckpointHook
    assert find_class('mmengine.DenoisingUNet') is None
    path = f'{DenoisingUNet.__module__}.DenoisingUNet'
    assert find_class(path) is DenoisingUNet


def test_a_registry_of_another_project_is_looked_into():
    own = Registry('hook', parent=HOOKS, scope='theirs')

    @own.register_module()
    class TheirHook:
        """Registered by a user."""

    assert find_class('theirs.TheirHook') is TheirHook
    assert find_class('TheirHook') is TheirHook
    assert find_class('mmldm.TheirHook') is None


@pytest.mark.parametrize(
    'name',
    [
        'os.system',
        'subprocess.run',
        'builtins.eval',
        'mmengine.dump',
        'mmengine.fileio.dump',
        'mmengine.config.config.os.system',
        'mmldm.apis.init_model',
        'mmcv.imwrite',
        'torch.optim.Adam',
        'evil.Module',
        'evil',
        'evil.deep.Module',
        'os',
        '.',
        '',
        'a..b',
    ],
)
@pytest.mark.parametrize(
    'key',
    [
        'model.denoiser.type',
        'default_hooks.logger.type',
        'runner_type',
        'optim_wrapper.constructor',
        'train_dataloader.collate_fn.type',
        'visualizer.vis_backends.0.type',
    ],
)
def test_nothing_else_is_a_class(tmp_path, monkeypatch, key, name):
    (tmp_path / 'evil').mkdir()
    for module in ('__init__', 'registry', 'deep'):
        path = tmp_path / f'evil/{module}.py'
        path.write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    config = Config(dict(visualizer=dict(vis_backends=[{}])))
    config.merge_from_dict({key: name})
    with pytest.raises(ValueError) as error:
        check_config(config, {})
    told = str(error.value)
    assert told.startswith(f'{key}={name!r} is in no registry')
    assert '\n' not in told
    assert not (tmp_path / 'executed').exists()
    assert 'evil' not in sys.modules


def test_the_message_says_what_to_do():
    for name, told in (
        ('DenoisingUnet', "did you mean 'DenoisingUNet'"),
        ('evil.Module', 'name the module that registers the class in cus'),
        ('mmdet.ResNet', 'which is not installed: pip install mmdet'),
        (3, 'must be the name of a registered class'),
        (None, 'must be the name of a registered class'),
    ):
        with pytest.raises(ValueError, match=told):
            check_type_name('a.0.type', name, built=True)


def test_a_class_in_place_of_its_name_passes():
    check_type_name('type', CheckpointHook, built=True)


@pytest.mark.parametrize('name', ['tb_trace', 'GAN', 3, None, ['a']])
def test_a_word_that_nobody_builds_passes(name):
    check_type_name('type', name, built=False)


@pytest.mark.parametrize('name', ['os.system', 'os', '', 'a b'])
def test_what_mmengine_could_import_never_passes(name):
    with pytest.raises(ValueError, match='is in no registry'):
        check_type_name('type', name, built=False)
