"""Configs that the documentation shows can be built as they stand."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmldm.apis.first_stages import take_first_stage
from mmldm.registry import MODELS

ROOT = Path(__file__).parents[1]


def shown():
    """Every block of Python that is a config."""
    for page in sorted((ROOT / 'docs').rglob('*.md')):
        blocks = re.findall(r'```python\n(.*?)```', page.read_text(), re.S)
        for i, block in enumerate(blocks):
            if block.startswith('_base_'):
                yield pytest.param(block, id=f'{page.stem}-{i}')


def test_there_are_some():
    assert len(list(shown())) >= 5


@pytest.mark.parametrize('block', shown())
def test_a_config_that_is_shown_is_built(block, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(block.replace("'./", f"'{ROOT}/configs/ldm/"))
    model = Config.fromfile(path).model
    take_first_stage(model)
    model.autoencoder_checkpoint = None
    built = MODELS.build(model)
    assert len(built.diffusion_scheduler.levels()) >= 2
