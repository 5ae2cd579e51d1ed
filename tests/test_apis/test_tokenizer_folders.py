"""Folders of tokenizers, which somebody else may have made."""

import os

import pytest

from mmldm.apis.config import read_config
from mmldm.apis.tokenizer_folders import (
    check_files,
    copy_tokenizer,
    tokenizer_beside,
)


@pytest.fixture
def model(tmp_path):
    """A model's folder with a tokenizer in it."""
    folder = tmp_path / 'model'
    (folder / 'tokenizer').mkdir(parents=True)
    (folder / 'tokenizer/vocab.txt').write_text('a')
    return folder


def test_what_is_no_data_is_left_out(model, tmp_path):
    names = ['vocab.txt', 'tokenizer.json', 'spiece.model', 'merges.txt']
    others = ['evil.py', 'weights.bin', 'a.pkl', 'deeper']
    for name in [*names, *others[:-1]]:
        (model / 'tokenizer' / name).write_text(name)
    (model / 'tokenizer/deeper').mkdir()
    left_out = copy_tokenizer(model / 'tokenizer', tmp_path / 'out')
    assert sorted(left_out) == sorted(others)
    assert sorted(os.listdir(tmp_path / 'out')) == sorted(names)
    assert (tmp_path / 'out/merges.txt').read_text() == 'merges.txt'


@pytest.mark.parametrize(
    'target', ['/etc/passwd', '../../secret.txt', '/dev/zero', '..']
)
def test_links_out_of_the_model_are_refused(model, tmp_path, target):
    (tmp_path / 'secret.txt').write_text('secret')
    (model / 'tokenizer/merges.txt').symlink_to(target)
    if target == '..':  # the model's own folder
        check_files(model / 'tokenizer', model)
        return
    for call in (
        lambda: check_files(model / 'tokenizer', model),
        lambda: tokenizer_beside('tokenizer', [model]),
    ):
        with pytest.raises(ValueError, match='merges.txt is a link that lead'):
            call()


def test_a_folder_that_is_a_link_is_refused(model, tmp_path):
    (model / 'other').symlink_to(tmp_path)
    with pytest.raises(ValueError, match='other is a link that leads out'):
        tokenizer_beside('other', [model])


def test_a_pipe_is_no_file(model):
    os.mkfifo(model / 'tokenizer/merges.txt')
    with pytest.raises(ValueError, match='merges.txt is not a regular file'):
        check_files(model / 'tokenizer', model)


def test_links_inside_pass(model):
    (model / 'vocab.txt').write_text('b')
    (model / 'tokenizer/merges.txt').symlink_to('../vocab.txt')
    check_files(model / 'tokenizer', model)


def test_the_cache_of_the_hub_consists_of_links(tmp_path):
    """snapshots/REVISION/tokenizer/vocab.txt leads to blobs/HASH."""
    cache = tmp_path / 'models--a--b'
    folder = cache / 'snapshots/0123'
    (folder / 'tokenizer').mkdir(parents=True)
    (cache / 'blobs').mkdir()
    (cache / 'blobs/4567').write_text('a')
    (folder / 'tokenizer/vocab.txt').symlink_to('../../../blobs/4567')
    check_files(folder / 'tokenizer', folder)
    copy_tokenizer(folder / 'tokenizer', tmp_path / 'out')
    assert not (tmp_path / 'out/vocab.txt').is_symlink()
    (folder / 'tokenizer/merges.txt').symlink_to('/etc/passwd')
    with pytest.raises(ValueError, match='leads out'):
        check_files(folder / 'tokenizer', folder)


def test_a_config_finds_the_tokenizer_beside_it_and_so_does_its_child(
    model, tmp_path
):
    embedders = [
        dict(tokenizer=dict(type='BertTokens', pretrained='tokenizer')),
        dict(type='TextEncoder', tokenizer='openai/clip'),
    ]
    (model / 'config.py').write_text(
        f'model = dict(conditioner=dict(embedders={embedders}))\n'
    )
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = '{model}/config.py'\n")
    for path in (model / 'config.py', child):
        beside, named = read_config(path).model.conditioner.embedders
        assert beside.tokenizer.pretrained == str(model / 'tokenizer')
        assert named.tokenizer == 'openai/clip'
