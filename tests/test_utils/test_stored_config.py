import json
import math
from collections import OrderedDict
from pathlib import Path

import pytest
from mmengine.config import Config

from mmldm.utils.stored_config import read_stored_config, store_config

CONFIGS = Path(__file__).parents[2] / 'configs'


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
        '[1]',
        '"a"',
        'null',
        'NaN',
        '',
        "model = dict(type='LatentDiffusion')",
    ],
)
def test_what_is_not_a_dict_in_json_is_refused(text):
    with pytest.raises(ValueError, match='the config is '):
        read_stored_config(text)
