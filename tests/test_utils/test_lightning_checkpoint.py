import pickle
import sys
import zipfile
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmldm.utils.lightning_checkpoint import read_compvis_checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'model.ckpt'


def weights():
    """Of all types, some of them views."""
    base = torch.randn(4, 6)
    return OrderedDict(
        plain=torch.randn(3, 5),
        half=torch.randn(7).half(),
        brain=torch.randn(3).bfloat16(),
        double=torch.randn(2).double(),
        count=torch.tensor(7),
        mask=torch.tensor([True, False, True]),
        byte=torch.arange(3, dtype=torch.uint8),
        part=base[1:3, 2:4],
        turned=base.T,
        parameter=nn.Parameter(torch.randn(2, 2)),
        empty=torch.empty(0, 3),
        nothing=torch.empty(3, 0),
    )


def assert_same(read, written):
    assert list(read) == list(written)
    for name, weight in written.items():
        torch.testing.assert_close(read[name], weight.detach(), rtol=0, atol=0)
        assert type(read[name]) is torch.Tensor


def test_the_weights_among_lightnings_objects_are_read(
    path, legacy, write_lightning
):
    written = weights()
    write_lightning(path, written, legacy)
    modules = dict(sys.modules)
    assert_same(read_compvis_checkpoint(path), written)
    assert dict(sys.modules) == modules


def test_what_is_written_to_a_tensor_stays_in_memory(
    path, legacy, write_lightning
):
    write_lightning(path, weights(), legacy)
    before = path.read_bytes()
    read_compvis_checkpoint(path)['plain'].zero_()
    assert path.read_bytes() == before
    assert read_compvis_checkpoint(path)['plain'].any()


def test_the_optimizer_is_not_read(path, legacy, monkeypatch, write_lightning):
    """Of the file's tensors those of the state_dict alone are made."""
    write_lightning(path, weights(), legacy)
    made = []
    real = torch.frombuffer

    def frombuffer(*args, **kwargs):
        made.append(kwargs['count'])
        return real(*args, **kwargs)

    monkeypatch.setattr(torch, 'frombuffer', frombuffer)
    read_compvis_checkpoint(path)
    assert len(made) == len([w for w in weights().values() if w.numel()])
    assert 35 not in made  # exp_avg


def test_weights_alone_are_read(path, legacy):
    written = dict(a=torch.randn(3), b=torch.randn(2))
    torch.save(written, path, _use_new_zipfile_serialization=not legacy)
    assert_same(read_compvis_checkpoint(path), written)


def test_safetensors_are_read(tmp_path):
    written = dict(a=torch.randn(3), b=torch.randn(2))
    save_file(written, tmp_path / 'model.safetensors')
    assert_same(
        read_compvis_checkpoint(tmp_path / 'model.safetensors'), written
    )


def test_what_a_module_of_the_users_is_called_does_not_matter(path, foreign):
    with foreign:
        own = foreign.make('main', 'MyCallback')
        torch.save(dict(state_dict=dict(a=torch.ones(1)), c=own()), path)
    assert_same(read_compvis_checkpoint(path), dict(a=torch.ones(1)))


def rewritten(source, target, change):
    """A zip file with each entry changed, or left out where None comes."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, 'w') as new,
    ):
        for name in old.namelist():
            content = change(name.partition('/')[2], old.read(name))
            if content is not None:
                new.writestr(name, content)


@pytest.mark.parametrize(
    'entry, content, told',
    [
        ('data.pkl', None, 'a zip file without data.pkl'),
        ('data/0', None, "a: '0'"),
        ('data/0', b'abc', 'a: its storage ends after the end of the file'),
        ('byteorder', b'big', 'on a machine of another byte order'),
        ('data.pkl', b'', 'pickle exhausted before seeing STOP'),
        ('data.pkl', b'garbage', 'cannot be read'),
    ],
)
def test_a_damaged_entry_is_refused(
    path, refusal, tmp_path, entry, content, told
):
    torch.save(dict(a=torch.ones(3)), tmp_path / 'good')
    rewritten(
        tmp_path / 'good',
        path,
        lambda name, old: content if name == entry else old,
    )
    message = refusal(path)
    assert told in message and 'it is cut off, or is no checkpoint' in message


def test_compressed_files_are_refused(path, refusal, tmp_path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', bytes(10**7))
    assert 'compressed, which torch never did' in refusal(path)


@pytest.mark.parametrize(
    'args, told',
    [
        ((4, (1,), (1,)), 'ends after the end of its storage'),
        ((0, (5,), (1,)), 'ends after the end of its storage'),
        ((0, (2,), (4,)), 'ends after the end of its storage'),
        ((-1, (2,), (1,)), 'shape (2,), stride (1,)'),
        ((0, (2,), (-1,)), 'shape (2,), stride (-1,)'),
        ((0, (2, 2), (1,)), 'shape (2, 2), stride (1,)'),
        ((0, ('a',), (1,)), 'cannot be read'),
    ],
)
def test_no_view_leads_out_of_its_storage(path, refusal, args, told):
    storage = torch.ones(4).untyped_storage()
    typed = torch.storage.TypedStorage(
        wrap_storage=storage, dtype=torch.float32, _internal=True
    )

    class View:
        def __reduce__(self):
            return torch._utils._rebuild_tensor, (typed, *args)

    torch.save(dict(state_dict=dict(a=View())), path)
    assert told in refusal(path)


def test_a_view_that_repeats_elements_takes_no_memory(path, legacy):
    """Of 4 bytes, 4 TB are asked for; in old files they lie unaligned."""
    for name in ('a', 'ab', 'abc', 'abcd'):
        repeated = torch.ones(1).expand(10**12)
        torch.save(
            {name: repeated}, path, _use_new_zipfile_serialization=not legacy
        )
        (found,) = read_compvis_checkpoint(path).values()
        assert found.shape == (10**12,) and found[-1] == 1


@pytest.mark.parametrize('keep', [0, 1, 3, 20, 0.2, 0.5, 0.9, -1])
def test_a_cut_off_file_is_named(path, refusal, legacy, keep, write_lightning):
    write_lightning(path, weights(), legacy)
    whole = path.read_bytes()
    size = int(keep * len(whole)) if isinstance(keep, float) else keep
    path.write_bytes(whole[:size])
    assert 'cannot be read: it is cut off, or is no' in refusal(path)


@pytest.mark.parametrize(
    'content',
    [b'hello', b'PK\x03\x04', b'\x89PNG\r\n', b'<html>', pickle.dumps({})],
)
def test_a_file_of_another_kind_is_named(path, refusal, content):
    path.write_bytes(content)
    assert 'cannot be read: it is cut off, or is no' in refusal(path)


@pytest.mark.parametrize(
    'content, told',
    [
        ([torch.ones(1)], 'holds a list, not a dict'),
        (torch.ones(1), 'holds a PickledTensor, not a dict'),
        (dict(epoch=1, network=dict(a=torch.ones(1))), "a int as 'epoch'"),
        (dict(model={}), 'has no weights: its model is empty'),
        (dict(state_dict=[1]), 'has a list as its state_dict'),
        (dict(state_dict={}), 'has no weights: its state_dict is empty'),
        ({}, 'has no weights'),
        (dict(state_dict=dict(a=1)), "not a int as 'a'"),
        (dict(state_dict={3: torch.ones(1)}), 'not a PickledTensor as 3'),
    ],
)
def test_a_file_without_weights_says_what_it_has(
    path, refusal, content, told, legacy
):
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert told in refusal(path)


@pytest.mark.parametrize(
    'nested',
    [
        lambda w: dict(model=w, optimizer={}, epoch=1),
        lambda w: dict(module=w),
        lambda w: dict(model=dict(state_dict=w)),
        lambda w: dict(model_state_dict=w),
        lambda w: w | dict(epoch=3, _metadata=None),
    ],
)
def test_weights_in_other_dicts_are_found(path, nested, legacy):
    expected = weights()
    torch.save(
        nested(expected), path, _use_new_zipfile_serialization=not legacy
    )
    found = read_compvis_checkpoint(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_dict_that_holds_itself_ends(path, refusal, legacy):
    content = {}
    content['model'] = content
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert "not a dict as 'model'" in refusal(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match='model.ckpt does not exist'):
        read_compvis_checkpoint(path)


@pytest.mark.parametrize('cut', [1, 4, 7, 8, 9, 15])
def test_an_old_file_ends_with_its_last_storage(path, refusal, cut):
    """Even if that is of the optimizer, or has no elements."""
    for last in (torch.ones(2), torch.empty(0)):
        content = dict(state_dict=dict(a=torch.ones(3)), z=last)
        torch.save(content, path, _use_new_zipfile_serialization=False)
        whole = path.read_bytes()
        assert_same(read_compvis_checkpoint(path), content['state_dict'])
        path.write_bytes(whole[:-cut])
        assert 'it is cut off' in refusal(path)


def test_tensors_are_aligned(path, legacy, write_lightning):
    """In old files they begin at any byte."""
    written = {f'{i * "x"}y': torch.randn(3) for i in range(8)}
    write_lightning(path, written, legacy)
    for weight in read_compvis_checkpoint(path).values():
        assert weight.data_ptr() % weight.element_size() == 0


def test_an_old_file_of_another_byte_order_is_refused(path, refusal):
    torch.save({}, path, _use_new_zipfile_serialization=False)
    little = pickle.dumps(dict(little_endian=True), 2)[2:-1]
    start = b'little_endianq'
    whole = path.read_bytes()
    place = whole.index(start) + len(start) + 1
    assert little.endswith(whole[place : place + 1] + b's')  # NEWTRUE
    path.write_bytes(whole[:place] + b'\x89' + whole[place + 1 :])
    assert 'on a machine of another byte order' in refusal(path)
