import pytest
from mmengine.config import Config

from mmldm.apis.config_differences import differences
from mmldm.utils.config_text import config_text

DDIM = dict(type='DDIM', eta=0.5)
BASE = dict(
    type='DiffusionScheduler',
    solver=DDIM,
    noise_schedule=dict(type='ScaledLinearBetas', start=0.0015, end=0.0195),
    num_steps=20,
)


@pytest.mark.parametrize(
    'changed, stated',
    [
        ({}, {}),
        (dict(num_steps=9), dict(num_steps=9)),
        (dict(solver=dict(type='DDIM', eta=1.0)), dict(solver=dict(eta=1.0))),
        # In the base, though DDIM takes it anyway.
        (dict(solver=dict(type='DDIM', eta=0.0)), dict(solver=dict(eta=0.0))),
        # What the base says must go.
        (
            dict(solver=dict(type='DDIM')),
            dict(solver=dict(_delete_=True, type='DDIM')),
        ),
        (
            dict(solver=dict(type='PLMS')),
            dict(solver=dict(_delete_=True, type='PLMS')),
        ),
        # What DDIM takes anyway, where the base does not say it.
        (
            dict(other=dict(type='DDIM', eta=0.0)),
            dict(other=dict(type='DDIM')),
        ),
        (dict(other=DDIM), dict(other=DDIM)),
    ],
)
def test_a_child_states_its_differences(changed, stated, tmp_path):
    config = {**BASE, **changed}
    assert differences(config, BASE) == stated
    (tmp_path / 'base.py').write_text(config_text(dict(model=BASE), 'Base.'))
    child = tmp_path / 'child.py'
    child.write_text(
        config_text(dict(_base_='base.py', model=stated), 'Child.')
    )
    found = Config.fromfile(child).model.to_dict()
    if 'other' in found:
        found['other'].setdefault('eta', 0.0)
    assert found == config


def test_a_key_of_the_base_that_is_not_wanted_is_taken_out():
    base = {**BASE, 'thresholding': True}
    assert differences(BASE, base) == {
        **BASE,
        '_delete_': True,
        'noise_schedule': dict(type='ScaledLinearBetas'),  # its own values
    }
