import errno
import hashlib
import json
import math
import os

import pytest
import torch
from mmengine.config import Config
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mmldm.utils.model_file import (
    publish_model_file,
    read_model_file,
    write_model_file,
)
from mmldm.version import __version__

CONFIG = dict(
    type='LatentDiffusion',
    denoiser=dict(channel_mults=(1, 2), dropout=0.1, context_dim=None),
    embedders=[dict(type='ClassEmbedder', trained=True, name='gr\u00fcn')],
    range=(0.0, math.inf),
)
AS_READ = dict(
    type='LatentDiffusion',
    denoiser=dict(channel_mults=[1, 2], dropout=0.1, context_dim=None),
    embedders=[dict(type='ClassEmbedder', trained=True, name='gr\u00fcn')],
    range=[0.0, math.inf],
)
WEIGHTS = dict(
    b=torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    a=torch.randn(3).half(),
    scalar=torch.tensor(1.5, dtype=torch.float64),
    count=torch.tensor([3, 4]),
    mask=torch.tensor([True, False, True]),
    brain=torch.randn(5).bfloat16(),
    empty=torch.empty(0, 3),
    part=torch.arange(6.0).view(2, 3).T,
    bytes=torch.arange(3, dtype=torch.uint8),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'model.safetensors'


def assert_same(read, written):
    torch.testing.assert_close(read, dict(written), rtol=0, atol=0)


@pytest.mark.parametrize('wrap', [dict, lambda c: Config(c)._cfg_dict])
def test_what_is_written_is_read(path, wrap):
    write_model_file(path, WEIGHTS, wrap(CONFIG))
    weights, config = read_model_file(path)
    assert_same(weights, WEIGHTS)
    assert config == AS_READ
    assert os.listdir(path.parent) == [path.name]


def test_it_is_a_plain_file_of_safetensors(path):
    write_model_file(path, WEIGHTS, CONFIG)
    assert_same(load_file(path), WEIGHTS)
    with safe_open(path, 'pt') as file:
        metadata = file.metadata()
    content = json.loads(metadata.pop('mmldm'))
    assert content == dict(config=AS_READ, version=__version__)
    assert not metadata


def test_the_bytes_say_nothing_of_the_order(path):
    write_model_file(path, WEIGHTS, CONFIG)
    first = path.read_bytes()
    weights, config = (
        dict(reversed(values.items())) for values in (WEIGHTS, CONFIG)
    )
    write_model_file(path, weights, config)
    assert path.read_bytes() == first


def test_tied_weights_are_written_for_each_name(path):
    weight = torch.randn(3)
    write_model_file(path, dict(a=weight, b=weight), {})
    assert_same(read_model_file(path)[0], dict(a=weight, b=weight))


@pytest.mark.parametrize(
    'value, match',
    [
        (dict(a=[dict(b=dict)]), r'config.a.0.b is a type'),
        (dict(a={1: 2}), 'config.a has the key 1, expected a string'),
        (dict(a=torch.ones(1)), 'config.a is a Tensor'),
    ],
)
def test_a_config_that_would_change_is_refused(path, value, match):
    with pytest.raises(ValueError, match=match):
        write_model_file(path, WEIGHTS, value)
    assert not os.listdir(path.parent)


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    write_model_file(path, dict(a=torch.ones(1)), CONFIG)

    def fail(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('os.fsync', fail)
    with pytest.raises(OSError, match='No space'):
        write_model_file(path, WEIGHTS, CONFIG)
    assert_same(read_model_file(path)[0], dict(a=torch.ones(1)))
    assert os.listdir(path.parent) == [path.name]


def test_a_file_of_weights_alone_has_no_config(path):
    save_file(dict(a=torch.ones(1)), path)
    weights, config = read_model_file(path)
    assert config is None
    assert_same(weights, dict(a=torch.ones(1)))


@pytest.mark.parametrize(
    'text, match',
    [
        ('{', 'Expecting'),
        ('[' * 100_000, 'maximum recursion'),
        ('[1]', 'list indices'),
        ('{"version": 1}', "'config'"),
        ('{"config": [1]}', 'its config is a list'),
    ],
)
def test_a_config_that_cannot_be_read_is_named(path, text, match):
    save_file(dict(a=torch.ones(1)), path, {'mmldm': text})
    match = f'model.safetensors: mmldm in its metadata .*{match}'
    with pytest.raises(ValueError, match=match):
        read_model_file(path)


@pytest.mark.parametrize('keep', [0, 5, 100, -1])
def test_a_cut_off_file_is_named(path, keep):
    write_model_file(path, WEIGHTS, CONFIG)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match='model.safetensors cannot be read'):
        read_model_file(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match='model.safetensors does not'):
        read_model_file(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / 'model.pth'):
        match = f'{path.name} must be named NAME.safetensors'
        with pytest.raises(ValueError, match=match):
            read_model_file(path)
        with pytest.raises(ValueError, match=match):
            write_model_file(path, WEIGHTS, CONFIG)


def test_a_published_name_tells_the_content(path):
    published = publish_model_file(path, WEIGHTS, CONFIG)
    write_model_file(path, WEIGHTS, CONFIG)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert published == path.with_name(f'model-{digits}.safetensors')
    assert published.read_bytes() == path.read_bytes()
    weights, config = read_model_file(published)
    assert_same(weights, WEIGHTS)
    assert config == AS_READ
    assert publish_model_file(path, WEIGHTS, CONFIG) == published
    assert publish_model_file(path, WEIGHTS, {}) != published


def test_a_published_file_that_was_changed_is_refused(path):
    published = publish_model_file(path, dict(a=torch.ones(9)), CONFIG)
    content = bytearray(published.read_bytes())
    content[-1] ^= 1  # of a weight: safetensors takes no notice
    published.write_bytes(content)
    match = f'model file: the SHA-256 of {published} is .*download it again'
    with pytest.raises(ValueError, match=match):
        read_model_file(published)
    read_model_file(published.rename(path))


def test_digits_of_weights_alone_say_nothing(path):
    path = path.with_name('vae-20221020.safetensors')
    save_file(dict(a=torch.ones(1)), path)
    assert_same(read_model_file(path)[0], dict(a=torch.ones(1)))


def test_others_may_read_a_file_as_any_other(tmp_path):
    (tmp_path / 'plain').touch()
    path = tmp_path / 'model.safetensors'
    write_model_file(path, dict(a=torch.zeros(1)), {})
    modes = [p.stat().st_mode for p in (path, tmp_path / 'plain')]
    assert modes[0] == modes[1]
