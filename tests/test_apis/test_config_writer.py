import pytest
from mmengine.config import Config

from mmldm.apis.config_writer import config_text, differences

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
    (tmp_path / 'base.py').write_text(config_text(dict(model=BASE)))
    child = tmp_path / 'child.py'
    child.write_text(config_text(dict(_base_='base.py', model=stated)))
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


def test_a_config_reads_as_it_was_and_fits_the_screen(tmp_path):
    content = dict(
        words=['one', "it's"],
        one=(1,),
        empty=dict(),
        nested=dict(
            type='Long', values=tuple(range(40)), more=[dict(a=None), 2.5]
        ),
    )
    text = config_text(content)
    (tmp_path / 'config.py').write_text(text)
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == content
    assert max(map(len, text.splitlines())) <= 79
    assert text.startswith("words = ['one', \"it's\"]\none = (1,)\n")
