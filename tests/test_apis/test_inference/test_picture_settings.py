"""Settings in PNG files."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis.inference.picture_settings import (
    as_plain,
    differences,
    is_written,
    model_mark,
    read_settings,
    restored,
    write_picture,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
SETTINGS = dict(
    arguments=dict(prompt='\u00e9 \U0001f408', size=(8, 12), seed=2**62),
    sampling=dict(steps=2),
    number=1,
    batch=dict(size=4, place=1),
)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / 'new' / 'a.png'
    write_picture(PIXELS, path, SETTINGS)
    return path


def test_pixels_and_settings_come_back(written):
    with Image.open(written) as image:
        assert np.array_equal(np.asarray(image), PIXELS)
    arguments = read_settings(written)['arguments']
    assert arguments == SETTINGS['arguments'] | dict(size=[8, 12])
    assert [path.name for path in written.parent.iterdir()] == ['a.png']


def test_only_a_whole_image_of_the_same_settings_is_written(written):
    other_batch = SETTINGS | dict(batch=dict(size=1, place=0))
    assert is_written(written, other_batch)
    assert not is_written(written, SETTINGS | dict(number=2))
    assert not is_written(written.with_name('b.png'), SETTINGS)
    written.write_bytes(written.read_bytes()[:-20])
    assert not is_written(written, SETTINGS)
    written.write_bytes(b'')
    assert not is_written(written, SETTINGS)


@pytest.mark.parametrize('kind', ['plain', 'text', 'other', 'huge'])
def test_an_image_without_settings_is_refused(tmp_path, kind):
    path = tmp_path / 'a.png'
    Image.fromarray(PIXELS).save(path)
    message = 'a.png holds no settings'
    if kind == 'text':
        path.write_text('no image')
    if kind == 'huge':  # width and height in the header
        content = bytearray(path.read_bytes())
        content[16:24] = struct.pack('>II', 60000, 60000)
        content[29:33] = struct.pack('>I', zlib.crc32(content[12:29]))
        path.write_bytes(content)
    if kind == 'other':
        write_picture(PIXELS, path, dict(of='another program'))
        message = 'a.png has settings of another form'
    with pytest.raises(ValueError, match=message):
        read_settings(path)


def test_settings_of_a_call_are_taken_too(tmp_path):
    """As images of ``generate(...)`` and of the page have them."""
    path = tmp_path / 'a.png'
    call = dict(label=3, seed=1, number=2, size=[8, 8], steps=5)
    write_picture(PIXELS, path, call)
    settings = read_settings(path)
    assert settings['arguments'] == dict(label=3, seed=1, size=[8, 8])
    assert (settings['sampling'], settings['number']) == (dict(steps=5), 2)


@pytest.mark.parametrize(
    'change',
    [
        dict(sampling=dict(steps=2, build='os.system')),
        dict(sampling=3),
        dict(batch=dict(size=2, place=2)),
        dict(batch=None),
        dict(number='0'),
        dict(arguments=[1]),
        dict(arguments=dict(size=8)),
        dict(arguments=dict(interpolate=5, frames=2)),
        dict(arguments=dict(interpolate=[0, 1])),
    ],
)
def test_settings_of_another_form_are_refused(tmp_path, change):
    path = tmp_path / 'a.png'
    write_picture(PIXELS, path, SETTINGS | change)
    with pytest.raises(ValueError, match='a.png has settings of another for'):
        read_settings(path)


def test_a_picture_is_known_by_its_content(written, tmp_path):
    plain = as_plain(dict(image=str(written), label=3))
    assert plain['label'] == 3
    settings = dict(arguments=plain)
    assert restored(settings, {}, 'it')['image'] == str(written)
    moved = written.rename(tmp_path / 'moved.png')
    with pytest.raises(FileNotFoundError, match='it: image .* does not exist'):
        restored(settings, {}, 'it')
    given = dict(image=str(moved))
    assert restored(settings, given, 'it')['image'] == str(moved)
    Image.new('RGB', (8, 8)).save(moved)
    with pytest.raises(ValueError, match='it: image was made of another pict'):
        restored(settings, given, 'it')


def test_features_of_a_database_cannot_be_restored():
    settings = dict(arguments=as_plain(dict(features=torch.zeros(2, 3))))
    with pytest.raises(ValueError, match='give --database'):
        restored(settings, {}, 'it')


def test_a_model_is_known_by_its_weights(tiny_ldm):
    torch.manual_seed(0)
    model = tiny_ldm()
    mark = model_mark(model)
    assert model_mark(model) == mark
    with torch.no_grad():
        next(model.denoiser.parameters()).add_(1)
    assert differences(model_mark(model), mark) == ['weights']


def test_differences_are_named():
    now = dict(model=dict(weights='a', config='b'), number=1)
    then = dict(model=dict(weights='c', config='b'), batch=1, number=1)
    assert differences(now, then) == ['batch', 'model.weights']
    assert differences(dict(size=(1, 2)), dict(size=[1, 2])) == []
