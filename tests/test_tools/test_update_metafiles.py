"""Metafiles get their numbers from the configs."""

import runpy
from pathlib import Path

import pytest
from mmengine.config import Config

from mmldm.registry import MODELS

ROOT = Path(__file__).parents[2]
TEXT = """\
Collections:
  - Name: LDM
# Results are the paper's.
Models:
  - Name: one
    In Collection: LDM
    Config: configs/ldm/one.py
    Metadata:
      Parameters: 1
      Batch Size: 2
    Results:
      - Task: Generation
  - Name: two
    In Collection: LDM
    Config: configs/ldm/two.py
    Metadata:
"""


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(ROOT / 'tools/update_metafiles.py'))


def test_numbers_are_replaced_and_the_rest_is_kept(tool):
    found = {
        'configs/ldm/one.py': {'Parameters': 10, 'Iterations': 3},
        'configs/ldm/two.py': {'Parameters': 20},
    }
    text = tool['with_facts'](TEXT, found)
    assert text == TEXT.replace(
        '      Parameters: 1\n      Batch Size: 2\n',
        '      Parameters: 10\n      Iterations: 3\n',
    ) + ('      Parameters: 20\n')
    assert tool['with_facts'](text, found) == text
    assert tool['configs_in'](text) == [*found]


def test_the_numbers_of_a_config(tool):
    name = 'autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'
    network = MODELS.build(
        Config.fromfile(ROOT / 'configs' / name).model.autoencoder
    )
    assert tool['facts'](ROOT / 'configs' / name) == {
        'Parameters': sum(p.numel() for p in network.parameters()),
        'Batch Size': 32,
        'Iterations': 300,
    }


def test_a_config_is_added_to_the_metafile_beside_it(tool, monkeypatch):
    path = ROOT / 'configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
    update = tool['updated']
    monkeypatch.setitem(update.__globals__, 'facts', lambda path: dict(N=5))
    text = update(path.with_name('metafile.yml'), [path])
    assert f'  - Name: {path.stem}\n    In Collection: LDM\n' in text
    assert text.endswith('    Metadata:\n      N: 5\n')
    other = ROOT / 'configs/autoencoder/metafile.yml'
    assert path.stem not in update(other, [path])
