import json
import math
from collections import OrderedDict
from pathlib import Path

import pytest
from mmengine.config import Config

from mmldm.utils.stored_config import read_stored_config, store_config

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize(
    'name',
    [
        'ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py',
        'autoencoder/autoencoder_vq-f4-gan_1xb16-1500_images-64x64.py',
    ],
)
def test_what_mmengine_wrote_is_read(name):
    cfg = Config.fromfile(CONFIGS / name)
    assert read_stored_config(cfg.pretty_text) == cfg.to_dict()


def listed(value):
    """With lists for tuples, which JSON has not."""
    if isinstance(value, dict):
        return {key: listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [listed(item) for item in value]
    return value


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*/*.py'))[::7], ids=str)
def test_a_config_comes_back_as_data(path):
    config = Config.fromfile(path).to_dict()
    text = store_config(config)
    assert json.loads(text)
    assert read_stored_config(text) == listed(config)


def test_values_of_all_kinds_come_back():
    values = dict(
        numbers=[1, -2, 0.5, math.inf, 10**40, True, None],
        words=['a', "it's", 'two\nlines', 'gr\u00fcn', '', '{{ x }}'],
        numbered={0: 'a', 1: {2.5: 'b'}},
        odd={'a b': 1, "x=__import__('os'), y": 2},
    )
    assert read_stored_config(store_config(values)) == values


def test_what_is_no_data_is_kept_as_a_record():
    config = dict(type=OrderedDict, path=Path('a'), call=math.sin)
    read = read_stored_config(store_config(config))
    assert read['type'] == 'collections.OrderedDict'
    assert read['call'] == 'math.sin'
    assert read['path'] == repr(Path('a'))


@pytest.mark.parametrize(
    'text',
    [
        '{',
        '{"a": }',
        '{"a": 1} import os',
        '{"<pairs>": 3}',
        '{"<pairs>": [[[], 1]]}',
        '{"a": ' * 5000 + '1' + '}' * 5000,
        '{"a": ' + '9' * 5000 + '}',
    ],
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError):
        read_stored_config(text)


def test_values_of_all_kinds_are_read():
    values = dict(
        numbers=[1, -2, 0.5, -1e-6, math.inf, -math.inf],
        words=('a', "it's", 'two\nlines', 'grün', ''),
        flags=[True, False, None],
        empty=[[], (), {}],
        one=(1,),
        nested=dict(a=[dict(b=(1, [2]))]),
        odd={'a b': 1, 'c-d': dict(e=2), 'f': [3]},
        numbered={'0': 1, 'x y': {}},
    )
    read = read_stored_config(Config(values).pretty_text)
    assert read == values
    assert math.isnan(read_stored_config('a = nan')['a'])


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        "a = __import__('os').system('true')",
        'a = open("a")',
        'a = [print() for _ in range(3)]',
        'a = b',
        'a = dict(**{})',
        'a = {**{}}',
        'a = dict([("a", 1)])',
        'a = 9 ** 9',
        'a = -"a"',
        'a = not True',
        'a = f"{1}"',
        'a = {(1, 2): 3}',
        'a = {1, 2}',
        'a.b = 1',
        'a = b = 1',
        'a, b = 1, 2',
        'a: int = 1',
        'a += 1',
        'print(1)',
        'def f(): pass',
        'a = lambda: 1',
        'a = (b := 1)',
        'a = dict',
    ],
)
def test_anything_else_is_refused_by_its_line(text):
    with pytest.raises(ValueError, match='line 2 is not a plain value'):
        read_stored_config(f'x = 1\n{text}')


@pytest.mark.parametrize('text', ['a = (', 'a = ' + '[' * 500, 'a = \0'])
def test_what_is_no_python_is_refused(text):
    with pytest.raises(ValueError, match='it cannot be read'):
        read_stored_config(text)


def test_depth_is_no_crash():
    with pytest.raises(ValueError):
        read_stored_config('a = ' + '-' * 100_000 + '1')
    with pytest.raises(ValueError):
        read_stored_config('a = ' + 'dict(a=' * 3000 + '1' + ')' * 3000)
