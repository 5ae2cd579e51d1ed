"""Names of work directories."""

from pathlib import Path

import pytest

from mmldm.apis.run_config import read_run_config

CONFIG = 'mmldm::autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'


@pytest.mark.parametrize(
    'name, converted, expected',
    [
        ('config', False, 'config'),
        ('first_stage', False, 'first_stage'),
        ('config', True, 'OUT'),
        ('first_stage', True, 'OUT_first-stage'),
        ('other', True, 'other'),
    ],
)
def test_a_converted_model_is_known_by_its_folder(
    tmp_path, monkeypatch, name, converted, expected
):
    monkeypatch.chdir(tmp_path)
    folder = Path('OUT')
    folder.mkdir()
    (folder / f'{name}.py').write_text(f'_base_ = {CONFIG!r}')
    if converted:
        (folder / 'model.safetensors').touch()
    cfg = read_run_config(f'OUT/{name}.py')
    assert cfg.work_dir == f'work_dirs/{expected}'
