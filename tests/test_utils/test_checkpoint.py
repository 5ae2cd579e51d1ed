import errno
import os
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    weights_hash,
    weights_of,
    without_wrappers,
    write_checkpoint,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'iter_1.pth'


def assert_same(read, written):
    """Equal tensors and plain values."""
    assert read.keys() == written.keys()
    for name, value in written.items():
        torch.testing.assert_close(read[name], value, rtol=0, atol=0)


def test_what_is_written_is_read(path):
    written = dict(step=3, weight=torch.randn(2, 3), mask=torch.tensor(True))
    write_checkpoint(written, path)
    assert_same(read_checkpoint(path), written)
    assert os.listdir(path.parent) == [path.name]


def test_safetensors_are_read(tmp_path):
    written = dict(weight=torch.randn(2, 3))
    save_file(written, tmp_path / 'model.safetensors')
    assert_same(read_checkpoint(tmp_path / 'model.safetensors'), written)


FULL = OSError(errno.ENOSPC, 'No space left on device')


@pytest.mark.parametrize(
    'function, error',
    [
        ('torch.save', FULL),
        ('os.fsync', FULL),
        ('os.replace', FULL),
        (
            'torch.save',
            RuntimeError('PytorchStreamWriter failed writing file'),
        ),
    ],
)
def test_a_failed_write_leaves_the_old_file(
    path, monkeypatch, function, error
):
    write_checkpoint(dict(step=1), path)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(function, fail)
    with pytest.raises(OSError, match='iter_1.pth could not be written'):
        write_checkpoint(dict(step=2), path)
    assert read_checkpoint(path) == dict(step=1)
    assert os.listdir(path.parent) == [path.name]


def test_the_file_is_flushed_before_it_gets_its_name(path, monkeypatch):
    calls = []
    for name in ('fsync', 'replace'):
        call = getattr(os, name)
        monkeypatch.setattr(
            os,
            name,
            lambda *a, name=name, call=call: (calls.append(name), call(*a)),
        )
    write_checkpoint(dict(step=1), path)
    assert calls == ['fsync', 'replace', 'fsync']


class Code:
    """Unpickled, it runs a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_code_is_refused_and_not_run(path, tmp_path):
    executed = tmp_path / 'executed'
    torch.save(dict(weight=Code(f'touch {executed}')), path)
    with pytest.raises(ValueError, match='iter_1.pth cannot be read.*refused'):
        read_checkpoint(path)
    assert not executed.exists()


@pytest.mark.parametrize('keep', [0.01, 0.5, 0.99])
@pytest.mark.parametrize(
    'save, suffix', [(torch.save, '.pth'), (save_file, '.safetensors')]
)
def test_a_cut_off_file_is_named(tmp_path, save, suffix, keep):
    path = tmp_path / f'model{suffix}'
    save(dict(weight=torch.randn(100)), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(ValueError, match=f'model{suffix} cannot be read'):
        read_checkpoint(path)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_an_empty_file_is_named(tmp_path, suffix):
    path = tmp_path / f'model{suffix}'
    path.touch()
    with pytest.raises(ValueError, match=f'model{suffix} cannot be read'):
        read_checkpoint(path)


def test_what_is_compressed_is_refused_before_it_is_unpacked(
    path, monkeypatch
):
    """A megabyte of it may become a thousand."""
    write_checkpoint(dict(a=torch.zeros(1000)), path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    monkeypatch.setattr(torch, 'load', lambda *args, **kwargs: pytest.fail())
    with pytest.raises(ValueError, match='its parts are compressed'):
        read_checkpoint(path)


def test_what_is_no_dict_is_refused(path):
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match='iter_1.pth holds a list'):
        read_checkpoint(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match='iter_1.pth does not exist'):
        read_checkpoint(path)


def test_weights_are_the_state_dict_or_all():
    weights = dict(weight=torch.ones(1))
    assert weights_of(dict(state_dict=weights, meta=1)) == weights
    assert weights_of(weights) == weights


def test_all_weights_are_loaded():
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(target, source.state_dict(), 'a.pth')
    assert_same(target.state_dict(), source.state_dict())


MISFIT = dict(weight=torch.zeros(4, 2), scale=torch.zeros(1))


def test_weights_that_do_not_fit_are_all_listed():
    with pytest.raises(ValueError) as error:
        load_weights(nn.Linear(2, 3), MISFIT, 'a.pth')
    assert str(error.value).startswith(
        'a.pth does not fit this Linear: 1 not in the file: bias; 1 not in '
        'the model: scale; 1 of another shape: weight (4, 2), here (3, 2)'
    )


def test_long_lists_are_cut():
    module = nn.Sequential(*(nn.Linear(1, 1) for _ in range(5)))
    with pytest.raises(
        ValueError,
        match=r'10 not in the file: 0.weight, '
        r'0.bias, 1.weight, ... 7 more: ',
    ):
        load_weights(module, {}, 'a.pth')


WEIGHTS = dict(a=torch.arange(4.0), b=torch.tensor(1.5))


def test_equal_weights_have_one_hash():
    copies = {k: WEIGHTS[k].clone() for k in ('b', 'a')}
    assert torch.equal(weights_hash(copies), weights_hash(WEIGHTS))
    images = torch.randn(2, 3, 4, 4)
    strided = images.to(memory_format=torch.channels_last)
    assert torch.equal(
        weights_hash(dict(a=images)), weights_hash(dict(a=strided))
    )


@pytest.mark.parametrize(
    'other',
    [
        dict(a=torch.tensor([0.0, 1.0, 2.0, 3 + 1e-6])),
        dict(a=torch.arange(4.0).view(2, 2)),
        dict(b=torch.tensor(1.4999999)),
    ],
    ids=['one value', 'shape', 'scalar'],
)
def test_other_weights_have_another_hash(other):
    assert not torch.equal(
        weights_hash({**WEIGHTS, **other}), weights_hash(WEIGHTS)
    )


def test_another_name_has_another_hash():
    renamed = dict(a=WEIGHTS['a'], c=WEIGHTS['b'])
    assert not torch.equal(weights_hash(renamed), weights_hash(WEIGHTS))


@pytest.mark.parametrize('legacy', [False, True])
def test_a_bytearray_of_any_length_is_not_made(path, legacy):
    torch.save(
        dict(state_dict={}, huge=bytearray(8)),
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(ValueError, match='makes a bytearray'):
        read_checkpoint(path)
    write_checkpoint(dict(said='cbuiltins bytearray, a word'), path)
    assert read_checkpoint(path) == dict(said='cbuiltins bytearray, a word')


def test_a_model_may_call_a_part_module():
    weights = {'module.a': torch.ones(1), 'other.module.b': torch.ones(1)}
    assert without_wrappers(weights).keys() == weights.keys()


def test_two_weights_of_one_name_are_refused():
    weights = {'a': torch.ones(1), '_orig_mod.a': torch.zeros(1)}
    with pytest.raises(ValueError, match='_orig_mod.a .*remove one'):
        without_wrappers(weights)


def test_no_weights_have_no_wrappers():
    assert without_wrappers({}) == {}
