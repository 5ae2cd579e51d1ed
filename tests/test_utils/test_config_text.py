import ast
import math

import numpy as np
import pytest
from mmengine.config import Config

from mmldm.compat import write_configs_as_data
from mmldm.utils.config_text import config_text, recordable


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
    'number', [0.1, -0.0, 1e-320, 1e400, -1e400, 10**400, np.float64(0.1)]
)
def test_numbers_are_literals(number, tmp_path):
    text = config_text(dict(a=number), 'Numbers.')
    (statement,) = ast.parse(text).body
    assert is_literal(statement.value)
    (tmp_path / 'config.py').write_text(text)
    plain = number.item() if isinstance(number, np.generic) else number
    assert repr(Config.fromfile(tmp_path / 'config.py').a) == repr(plain)


@pytest.mark.parametrize(
    'value', [math.nan, object(), 1j, b'a', {1}, 10**5000, len], ids=type
)
def test_what_no_literal_says_is_refused(value):
    with pytest.raises(ValueError):
        config_text(dict(a=[dict(b=value)]), 'Odd.')


def test_an_odd_name_at_the_top_is_refused():
    with pytest.raises(ValueError, match="'a b' must be a name"):
        config_text({'a b': 1}, 'Odd.')


@pytest.mark.parametrize('hostile', HOSTILE)
def test_what_a_training_leaves_behind_holds_no_code(
    hostile, tmp_path, monkeypatch
):
    """mmengine's own writer takes a key with a quote for code."""
    monkeypatch.chdir(tmp_path)
    write_configs_as_data()
    content = dict(a={hostile: 1, f"x': {CALL}, 'y": [{hostile: hostile}]})
    Config(content).dump('dumped.py')
    tree = ast.parse((tmp_path / 'dumped.py').read_text())
    assert all(is_literal(node.value) for node in tree.body)
    assert Config.fromfile('dumped.py').to_dict() == content
    assert not list(tmp_path.rglob('CANARY'))


def test_what_is_no_literal_is_recorded():
    config = dict(a=[math.nan, ast.parse], b=(ast.AST, 1j), c={1: math.inf})
    assert recordable(config) == dict(
        a=['nan', 'ast.parse'], b=('ast.AST', '1j'), c={1: math.inf}
    )
    config_text(recordable(config), 'Recorded.')
