import pytest
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope, Registry

from mmldm import registry
from mmldm.models.autoencoders import AutoencoderKL


@pytest.fixture
def third_project():
    """A registry next to mmagic's, as a user's own project has it."""
    yield Registry('model', parent=ROOT_MODELS, scope='third')
    ROOT_MODELS.children.pop('third')


def test_a_third_project_finds_us_by_scope(third_project):
    assert third_project.get('mmldm.AutoencoderKL') is AutoencoderKL


def test_the_root_finds_us_by_scope():
    assert ROOT_MODELS.get('mmldm.AutoencoderKL') is AutoencoderKL


def test_the_root_finds_us_by_default_scope():
    """As mmengine's Runner builds from a config with default_scope."""
    with DefaultScope.overwrite_default_scope('mmldm'):
        hook = ROOT_HOOKS.build(dict(type='LatentScaleHook', num_samples=7))
    assert hook.num_samples == 7


def test_mmagic_is_reached_by_scope_and_without():
    hook = registry.HOOKS.get('mmagic.ExponentialMovingAverageHook')
    assert hook.__module__ == 'mmagic.engine.hooks.ema'
    assert registry.HOOKS.get('ExponentialMovingAverageHook') is hook


def test_mmengine_is_reached_through_mmagic():
    hook = registry.HOOKS.get('ParamSchedulerHook')
    assert hook is ROOT_HOOKS.get('ParamSchedulerHook')


# Those with locations; the others are empty.
OURS = {
    name: child
    for name, child in vars(registry).items()
    if isinstance(child, Registry) and child._locations
}


@pytest.mark.parametrize('child', OURS.values(), ids=OURS)
def test_every_registry_fills_itself(child):
    """By its locations, at the first look-up."""
    child.import_from_location()
    assert len(child) > 0
    assert child.parent.scope == 'mmagic'


def test_no_name_is_registered_twice():
    for child in OURS.values():
        classes = list(child.module_dict.values())
        assert len(classes) == len(set(classes)), child.name
