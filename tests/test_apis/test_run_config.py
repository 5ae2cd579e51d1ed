"""Configs after ``read_run_config``."""

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


GAN = 'mmldm::autoencoder/autoencoder_vq-f4-gan_1xb16-1500_images-64x64.py'


@pytest.mark.parametrize('options', [{}, {'model.perceptual': None}])
def test_an_optimizer_goes_with_the_part_that_a_child_takes_out(
    tmp_path, options
):
    child = tmp_path / 'child.py'
    child.write_text(f'_base_ = {GAN!r}\n')
    for changes, parts in (
        ({}, ['autoencoder', 'adversarial']),
        ({'model.adversarial': None}, ['autoencoder']),
    ):
        cfg = read_run_config(child, {**options, **changes})
        assert [*cfg.optim_wrapper] == ['constructor', *parts]
        assert [*cfg.param_scheduler] == parts
