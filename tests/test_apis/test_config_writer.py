import ast
import math

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


def test_a_config_reads_as_it_was_and_fits_the_screen(tmp_path):
    content = dict(
        words=['one', "it's"],
        one=(1,),
        empty=dict(),
        nested=dict(
            type='Long', values=tuple(range(40)), more=[dict(a=None), 2.5]
        ),
    )
    text = config_text(content, 'Converted.')
    (tmp_path / 'config.py').write_text(text)
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == content
    assert max(map(len, text.splitlines())) <= 79
    assert text.startswith(
        "# Converted.\n\nwords = ['one', \"it's\"]\none = (1,)\n"
    )


def is_literal(node):
    """Whether a value is a literal, or dict(name=literal)."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return all(map(is_literal, items))
        case ast.Dict(keys=keys, values=values):
            return all(map(is_literal, [*keys, *values]))
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=pairs):
            return all(p.arg and is_literal(p.value) for p in pairs)
    return False


CALL = "__import__('os').system('touch CANARY')"
HOSTILE = [
    f'x={CALL}, y',
    f'x=1), {CALL}, (',
    f'"""; {CALL} #',
    f"'''; {CALL} #",
    f"'+{CALL}+'",
    f'\n{CALL}\n',
    f'\r{CALL}\r',
    f'\x0c\u2028\x85{CALL}',
    f"\\'+{CALL}#",
    f'\\{{{{$NOWHERE:{CALL}}}}}',
    f"{{{{$NOWHERE:'+{CALL}+'}}}}",
    '{{ fileDirname }}',
    '{{_base_.model}}',
    '{{{ fileBasename }}}',
    'class',
    'None',
    'a b',
    '',
    '\udc80\x00\x1b[2J',
    '\u202e\u2066\u00e4\u0430',
]


@pytest.mark.parametrize('hostile', HOSTILE)
def test_nothing_becomes_code(hostile, tmp_path, monkeypatch):
    """As key, as value and in the remark; short, and on lines of its own."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / f"'+{CALL}+'"
    folder.mkdir()
    for filling in ('', 'x' * 80):
        content = dict(
            key={hostile: filling, 'nested': [{hostile: {filling: 1}}]},
            value=[hostile, (hostile, filling)],
        )
        text = config_text(content, f'Converted from {hostile}{filling}.')
        assert '{{' not in text
        tree = ast.parse(text)
        assert [node.targets[0].id for node in tree.body] == ['key', 'value']
        assert all(is_literal(node.value) for node in tree.body)
        (folder / 'config.py').write_text(text)
        # mmengine has no place for keys that are no text or are reserved.
        read = Config.fromfile(folder / 'config.py').to_dict()
        assert read == content
    assert not list(tmp_path.rglob('CANARY'))


@pytest.mark.parametrize(
    'number', [0.1, -0.0, 1e-320, 1e308, 1e400, -1e400, 10**400, -(10**400)]
)
def test_numbers_are_literals(number, tmp_path):
    text = config_text(dict(a=number), 'Numbers.')
    (statement,) = ast.parse(text).body
    assert is_literal(statement.value)
    (tmp_path / 'config.py').write_text(text)
    assert repr(Config.fromfile(tmp_path / 'config.py').a) == repr(number)


@pytest.mark.parametrize(
    'value', [math.nan, object(), 1j, b'a', {1}, 10**5000, len], ids=type
)
def test_what_no_literal_says_is_refused(value):
    with pytest.raises(ValueError):
        config_text(dict(a=[dict(b=value)]), 'Odd.')


def test_an_odd_name_at_the_top_is_refused():
    with pytest.raises(ValueError, match="'a b' is no name"):
        config_text({'a b': 1}, 'Odd.')
